/* SPDX-License-Identifier: BSD-2-Clause */

/* READs over a verbs link.  See fabric/verbs_link.h. */

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "fabric/verbs_send.h"

enum {
	READ_LISTS_MASK = FABRIC_READ_LISTS_MAX - 1,
	/* READs land at multiples of it. */
	LANDING_ALIGN = 64,
};

static_assert((FABRIC_READ_LISTS_MAX & READ_LISTS_MASK) == 0,
	      "counters are masked");

static int not_one_sided(const struct fabric_link *link)
{
	return link->is_server ? err_set(ERR_UNSUPPORTED,
					 "a server can't READ from its client")
			       : err_set(ERR_UNSUPPORTED,
					 "the server offers no memory to READ");
}

/* Finds a place for each READ to land, or returns false. */
static bool find_landing(struct verbs_link *link,
			 const struct fabric_read *reads, size_t count,
			 struct verbs_read_list *list)
{
	uint64_t landed = link->landed;

	for (size_t i = 0; i < count; i++) {
		uint32_t size = (reads[i].size + LANDING_ALIGN - 1) &
				~(uint32_t)(LANDING_ALIGN - 1);
		if (!verbs_circle_take(&link->landing, &landed, link->taken,
				       size, &list->reads[i].at))
			return false;
		list->reads[i].read = reads[i];
	}
	list->count = (uint32_t)count;
	list->landed = landed;
	return true;
}

/* Fills in the work requests of a list, those of no bytes left out; returns how
 * many there are. */
static uint32_t chain_reads(struct verbs_link *link,
			    const struct verbs_read_list *list,
			    struct ibv_send_wr *wr, struct ibv_sge *sge)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct fabric_read *read = &list->reads[i].read;

		if (!read->size)
			continue;
		sge[n] = (struct ibv_sge){
			.addr = list->reads[i].at,
			.length = read->size,
			.lkey = link->landing.mr->lkey,
		};
		wr[n] = (struct ibv_send_wr){
			.next = &wr[n + 1],
			.sg_list = &sge[n],
			.num_sge = 1,
			.opcode = IBV_WR_RDMA_READ,
			.wr.rdma = {read->offset, link->region_key},
		};
		fabric_verbs_describe_send(link, &wr[n], link->posted + n,
					   read->size, read->offset);
		n++;
	}
	return n;
}

static int post_list(struct verbs_link *link, struct verbs_read_list *list)
{
	struct ibv_send_wr wr[FABRIC_READS_MAX + 1];
	struct ibv_sge sge[FABRIC_READS_MAX];

	uint32_t count = chain_reads(link, list, wr, sge);
	list->end = count ? link->posted + count : link->done;
	if (!count)
		return 0;
	wr[count - 1].next = NULL;
	fabric_verbs_signal_send(link, &wr[count - 1],
				 link->posted + count - 1);
	return fabric_verbs_post(link, wr, count);
}

static void count_list(struct fabric_link *link,
		       const struct fabric_read *reads, size_t count)
{
	link->counters.read_lists++;
	link->counters.reads += count;
	for (size_t i = 0; i < count; i++)
		link->counters.read_bytes += reads[i].size;
}

int fabric_verbs_read(struct fabric_link *base, const struct fabric_read *reads,
		      size_t count, uint64_t cookie)
{
	struct verbs_link *link = verbs_link_of(base);

	if (!base->one_sided || base->is_server)
		return not_one_sided(base);
	int error = fabric_check_reads(reads, count, link->region_size);
	if (error)
		return error;
	if (link->error)
		return fabric_verbs_tell_error(link);
	if (!verbs_has_slots(link, FABRIC_READS_MAX))
		fabric_verbs_take_completions(link);
	if (link->lists_posted - link->lists_told == FABRIC_READ_LISTS_MAX ||
	    !verbs_has_slots(link, FABRIC_READS_MAX))
		return ERR_AGAIN;

	struct verbs_read_list *list =
		&link->lists[link->lists_posted & READ_LISTS_MASK];
	if (!find_landing(link, reads, count, list))
		return ERR_AGAIN;
	list->cookie = cookie;
	link->landed = list->landed;
	error = post_list(link, list);
	if (error)
		return error;
	link->lists_posted++;
	count_list(base, reads, count);
	return 0;
}

static bool list_is_done(const struct verbs_link *link,
			 const struct verbs_read_list *list)
{
	return (int32_t)(link->done - list->end) >= 0;
}

static void hand_over(struct verbs_link *link,
		      const struct verbs_read_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->reads[i].read.size)
			memcpy(list->reads[i].read.to,
			       link->landing.bytes + list->reads[i].at,
			       list->reads[i].read.size);
	link->taken = list->landed;
}

size_t fabric_verbs_tell_reads(struct verbs_link *link,
			       struct fabric_event *events, size_t max)
{
	size_t count = 0;

	while (count < max && link->lists_told != link->lists_posted) {
		const struct verbs_read_list *list =
			&link->lists[link->lists_told & READ_LISTS_MASK];
		if (!list_is_done(link, list))
			break;
		hand_over(link, list);
		events[count++] = (struct fabric_event){
			.kind = FABRIC_READ,
			.cookie = list->cookie,
		};
		link->lists_told++;
	}
	return count;
}
