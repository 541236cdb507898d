/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_address.h"

#include <dirent.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "fabric/verbs_port.h"

/* A link-local address would need to be told which interface it is of, which
 * the peer's side doesn't know. */
static bool is_usable(const struct sockaddr *at, int family)
{
	if (!at || at->sa_family != family)
		return false;
	const struct sockaddr_in6 *v6 = (const void *)at;
	return family == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

static bool find_address(const char *interface, int family,
			 struct sockaddr_storage *at)
{
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (const struct ifaddrs *a = all; a && !found; a = a->ifa_next) {
		if (strcmp(a->ifa_name, interface) ||
		    !is_usable(a->ifa_addr, family))
			continue;
		memset(at, 0, sizeof(*at));
		memcpy(at, a->ifa_addr,
		       family == AF_INET ? sizeof(struct sockaddr_in)
					 : sizeof(struct sockaddr_in6));
		found = true;
	}
	freeifaddrs(all);
	return found;
}

int fabric_verbs_address_of_device(const char *device, int family,
				   struct sockaddr_storage *at)
{
	char interface[FABRIC_INTERFACE_SIZE];

	int error = fabric_verbs_port_interface(device, 1, interface);
	if (error)
		return error;
	if (find_address(interface, family, at))
		return 0;
	return err_set(ERR_USAGE,
		       "device %s has no IPv%d address: give its interface %s "
		       "one (ip address add ADDRESS/BITS dev %s)",
		       device, family == AF_INET ? 4 : 6, interface, interface);
}

bool fabric_verbs_address_is_any(const struct sockaddr *at)
{
	if (at->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)at;
		return v4->sin_addr.s_addr == htonl(INADDR_ANY);
	}
	const struct sockaddr_in6 *v6 = (const void *)at;
	return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}
