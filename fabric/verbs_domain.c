/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_domain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/format.h"

static int register_memory(const struct verbs_domain *domain, const void *bytes,
			   size_t size, int access, struct ibv_mr **mr);

int fabric_verbs_domain_create(struct ibv_context *context,
			       const struct fabric_region *region,
			       bool to_be_shared, struct verbs_domain **domain)
{
	struct verbs_domain *d = calloc(1, sizeof(*d));
	int error;

	if (!d)
		return err_set(ERR_NO_MEMORY, "no memory");
	d->context = context;
	d->users = 1;
	int number = ibv_query_device(context, &d->limits);
	if (number) {
		error = err_set(ERR_SYSTEM, "can't query device %s: %s",
				ibv_get_device_name(context->device),
				strerror(number));
		goto leave;
	}
	d->is_shared = to_be_shared && d->limits.device_cap_flags &
					       IBV_DEVICE_MEM_WINDOW_TYPE_2B;
	d->pd = ibv_alloc_pd(context);
	if (!d->pd) {
		error = err_set(
			ERR_SYSTEM, "no protection domain on device %s: %s",
			ibv_get_device_name(context->device), strerror(errno));
		goto leave;
	}
	if (region) {
		d->region_size = region->size;
		error = register_memory(d, region->memory, region->size,
					IBV_ACCESS_REMOTE_READ, &d->region);
		if (error)
			goto leave;
	}
	*domain = d;
	return 0;

leave:
	fabric_verbs_domain_leave(d);
	return error;
}

struct verbs_domain *fabric_verbs_domain_join(struct verbs_domain *domain)
{
	domain->users++;
	return domain;
}

void fabric_verbs_domain_leave(struct verbs_domain *domain)
{
	if (!domain || --domain->users)
		return;
	if (domain->region)
		ibv_dereg_mr(domain->region);
	if (domain->pd)
		ibv_dealloc_pd(domain->pd);
	free(domain);
}

const char *fabric_verbs_domain_device(const struct verbs_domain *domain)
{
	return ibv_get_device_name(domain->context->device);
}

/* The memory has pages of its own, which a child process doesn't inherit: the
 * device would go on with this process's, whoever is given copies. */
int fabric_verbs_memory_create(const struct verbs_domain *domain, size_t size,
			       int access, struct verbs_memory *memory)
{
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		return err_set(ERR_NO_MEMORY, "no memory");
	madvise(bytes, size, MADV_DONTFORK);
	int error = register_memory(domain, bytes, size, access, &memory->mr);
	if (error) {
		munmap(bytes, size);
		return error;
	}
	memory->bytes = bytes;
	memory->size = size;
	return 0;
}

void fabric_verbs_memory_destroy(struct verbs_memory *memory)
{
	if (!memory->bytes)
		return;
	ibv_dereg_mr(memory->mr);
	munmap(memory->bytes, memory->size);
	*memory = (struct verbs_memory){0};
}

static int not_registered(const struct verbs_domain *domain, size_t size,
			  int number)
{
	char want[FORMAT_SIZE_SIZE], may[FORMAT_SIZE_SIZE];
	struct rlimit limit;

	if (number != ENOMEM || getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_cur == RLIM_INFINITY)
		return err_set(ERR_SYSTEM,
			       "can't register %s of memory with device %s: %s",
			       format_size(want, size),
			       fabric_verbs_domain_device(domain),
			       strerror(number));
	return err_set(ERR_NO_ROOM,
		       "can't lock %s of memory for device %s, this process "
		       "may lock %s in all: raise the limit (ulimit -l "
		       "unlimited, or LimitMEMLOCK=infinity in its systemd "
		       "unit), or use less memory",
		       format_size(want, size),
		       fabric_verbs_domain_device(domain),
		       format_size(may, limit.rlim_cur));
}

static int register_memory(const struct verbs_domain *domain, const void *bytes,
			   size_t size, int access, struct ibv_mr **mr)
{
	struct ibv_mr *made = ibv_reg_mr_iova(domain->pd, (void *)bytes, size,
					      0, (unsigned)access);

	if (!made)
		return not_registered(domain, size, errno);
	*mr = made;
	return 0;
}
