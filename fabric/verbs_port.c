/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_port.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

enum {
	PATH_SIZE = 256,
	/* Port counters count words of 32 bits. */
	COUNTER_UNIT = 4,
};

/* Reads what a file of /sys says up to its first blank; false when there is no
 * such file or it says nothing. */
static bool read_word(const char *path, char *word, size_t size)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	bool came = fgets(word, (int)size, file) != NULL;
	fclose(file);
	if (!came)
		return false;
	word[strcspn(word, " \n")] = '\0';
	return word[0] != '\0';
}

static bool read_number(const char *path, uint64_t *number)
{
	char word[32], end;

	return read_word(path, word, sizeof(word)) &&
	       sscanf(word, "%" SCNu64 "%c", number, &end) == 1;
}

static bool device_exists(const char *device)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s", device);
	return !strchr(device, '/') && !access(path, F_OK);
}

int fabric_verbs_port_interface(const char *device, unsigned port,
				char interface[FABRIC_INTERFACE_SIZE])
{
	char path[PATH_SIZE];

	if (!device_exists(device))
		return err_set(ERR_USAGE,
			       "there is no RDMA device '%s' (rdma link show "
			       "lists those there are)",
			       device);
	snprintf(path, sizeof(path),
		 "/sys/class/infiniband/%s/ports/%u/gid_attrs/ndevs/0", device,
		 port);
	if (!read_word(path, interface, FABRIC_INTERFACE_SIZE))
		return err_set(ERR_USAGE,
			       "port %u of device %s has no network interface",
			       port, device);
	return 0;
}

/* Reads a number that the kernel keeps of the port's network interface. */
static bool read_of_interface(const char *device, unsigned port,
			      const char *what, uint64_t *number)
{
	char interface[FABRIC_INTERFACE_SIZE], path[PATH_SIZE];

	if (fabric_verbs_port_interface(device, port, interface))
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", interface, what);
	return read_number(path, number);
}

static bool read_port_counter(const char *device, unsigned port,
			      uint64_t *number)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path),
		 "/sys/class/infiniband/%s/ports/%u/counters/port_xmit_data",
		 device, port);
	return read_number(path, number);
}

int fabric_verbs_port_sent(const char *device, unsigned port, uint64_t *bytes)
{
	uint64_t words;

	if (read_port_counter(device, port, &words)) {
		*bytes = words * COUNTER_UNIT;
		return 0;
	}
	if (read_of_interface(device, port, "statistics/tx_bytes", bytes))
		return 0;
	return err_set(ERR_UNSUPPORTED,
		       "port %u of device %s counts nothing of what it sends",
		       port, device);
}

/* "100 Gb/sec (4X EDR)" */
static bool read_rate(const char *device, unsigned port, uint64_t *speed)
{
	char path[PATH_SIZE], word[32], end;
	double gigabits;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/ports/%u/rate",
		 device, port);
	if (!read_word(path, word, sizeof(word)) ||
	    sscanf(word, "%lf%c", &gigabits, &end) != 1 || gigabits <= 0)
		return false;
	*speed = (uint64_t)(gigabits * 1e9);
	return true;
}

/* A device that counts nothing names a rate that nothing keeps it to; its
 * network interface may know better. */
int fabric_verbs_port_speed(const char *device, unsigned port, uint64_t *speed)
{
	uint64_t words, megabits;

	if (read_port_counter(device, port, &words) &&
	    read_rate(device, port, speed))
		return 0;
	if (read_of_interface(device, port, "speed", &megabits) && megabits) {
		*speed = megabits * 1000000;
		return 0;
	}
	return err_set(ERR_UNSUPPORTED,
		       "the speed of port %u of device %s is not known", port,
		       device);
}
