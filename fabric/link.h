/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FABRIC_LINK_H
#define FABRIC_LINK_H

/* What every fabric has in common, and the table of what each does its own way.
 * Only files of fabric/ include this. */

#include "fabric/address.h"
#include "fabric/fabric.h"
#include "fabric/handshake.h"

/* Each fabric's listener and link start with these. */
struct fabric_listener {
	const struct fabric_ops *ops;
	int fd;
	bool is_public;
	char address[FABRIC_ADDRESS_SIZE];
};

struct fabric_link {
	const struct fabric_ops *ops;
	uint8_t *inbox;
	uint32_t inbox_size;
	uint32_t peer_inbox_size;
	bool is_server;
	bool one_sided; /* the client's end can READ */
	bool gathers;	/* announced WRITEs until it is flushed */
	struct fabric_counters counters;
};

/* The functions of fabric/fabric.h have checked what their callers gave. */
struct fabric_ops {
	const char *name;

	int (*listen)(const struct fabric_address *address,
		      const struct fabric_listen_options *options,
		      struct fabric_listener **listener);
	int (*listener_next)(struct fabric_listener *listener,
			     struct fabric_link **link,
			     uint8_t hello[FABRIC_HELLO_SIZE]);
	/* NULL: there are no devices of its own. */
	int (*listener_sent)(const struct fabric_listener *listener,
			     uint64_t *bytes, uint64_t *speed);
	void (*listener_close)(struct fabric_listener *listener);
	int (*accept)(struct fabric_link *link,
		      const uint8_t answer[FABRIC_HELLO_SIZE]);
	void (*refuse)(struct fabric_link *link,
		       const uint8_t answer[FABRIC_HELLO_SIZE]);

	/* 'reply' is set as far as it came. */
	int (*connect)(const struct fabric_address *address,
		       const struct fabric_call *call,
		       struct fabric_reply *reply, struct fabric_link **link);

	int (*write)(struct fabric_link *link, uint32_t offset,
		     const void *bytes, uint32_t size, uint32_t immediate);
	int (*write_silently)(struct fabric_link *link, uint32_t offset,
			      const void *bytes, uint32_t size);
	/* NULL: each WRITE is posted as it is made. */
	int (*flush)(struct fabric_link *link);
	/* NULL: READs take their time. */
	int (*read_now)(struct fabric_link *link,
			const struct fabric_read *reads, size_t count);
	int (*read)(struct fabric_link *link, const struct fabric_read *reads,
		    size_t count, uint64_t cookie);
	const void *(*map)(const struct fabric_link *link, uint64_t *size);
	bool (*server_has_left)(const struct fabric_link *link);
	int (*poll)(struct fabric_link *link, struct fabric_event *events,
		    size_t max);
	int (*arm)(struct fabric_link *link);
	int (*fd)(const struct fabric_link *link, short *events);
	void (*close)(struct fabric_link *link);
};

/* Says so; returns ERR_CONNECTION. */
int fabric_peer_has_gone(const struct fabric_link *link);

/* Whether a list of READs stays within a region of that size; ERR_USAGE. */
int fabric_check_reads(const struct fabric_read *reads, size_t count,
		       uint64_t region_size);

/* The fabric that carries an address, faulty or not. */
const struct fabric_ops *fabric_ops_of(const struct fabric_address *address);

extern const struct fabric_ops fabric_faulty_ops;
extern const struct fabric_ops fabric_shm_ops;
extern const struct fabric_ops fabric_tcp_ops;
#ifdef HAVE_VERBS
extern const struct fabric_ops fabric_verbs_ops;
#endif

#endif
