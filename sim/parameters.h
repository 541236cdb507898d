/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_PARAMETERS_H
#define SIM_PARAMETERS_H

/* An environment: the numbers that say how fast the machines and the network
 * between them are.  A file has lines "NAME VALUE  # where the number is from";
 * README.md says what the names mean.
 *
 * Thread-safety: pure functions on the caller's memory. */

struct parameters {
	/* The server's processors. */
	double cores;
	double threads;	     /* workers; a client belongs to one of them */
	double message_ns;   /* of a worker, to take a request and answer it */
	double node_ns;	     /* for each node that it visits */
	double leaf_ns;	     /* for each leaf in which something may match */
	double item_ns;	     /* for each item that it answers */
	double wake_ns;	     /* until a worker that sleeps has woken up */
	double push_back;    /* clients that wait for one, from which on it
				leaves searches to those that can read */
	double insert_ns;    /* of the one writer, for each insert */
	double heartbeat_ns; /* between two heartbeats */
	double heartbeat_cpu_ns; /* of a worker, for each that it sends */
	double heartbeat_loss;	 /* the part of them that gets lost */

	/* The network; a rate of 0 has no limit. */
	double one_way_ns;
	double link_gbps;	 /* of the server, in each direction */
	double client_link_gbps; /* of each host of clients */
	double nic_message_ns;	 /* of the server's adapter, for each message */
	double mtu_bytes, header_bytes;
	double initiator_depth, responder_resources; /* READs of a client */

	/* The clients. */
	double clients_per_host, host_cores;
	double client_slice_ns; /* for which one that waits awake keeps its core
				   from the others; 0: it sleeps */
	double client_switch_ns; /* of that, until the next goes on */
	/* To choose a path, where there is a choice: messaging, or whatever
	 * 'catfish' chooses; and to offload by 'adaptive', whose choice can
	 * stand for many searches. */
	double client_ask_ns, client_choose_ns;
	double client_message_ns; /* to send a request and take the answer */
	double client_wake_ns;	  /* until a client that sleeps has woken up */
	double client_search_ns;  /* for each search that it makes itself */
	double client_read_ns;	  /* for each READ of it */
	double client_leaf_ns;	/* for each leaf in which something may match */
	double client_node_ns;	/* for each node that it visits */
	double client_fresh_ns; /* more, if it was written since the client
				   was last there */
	double client_item_ns;

	/* What there is: 0 or 1. */
	double offload;	    /* the fabric can */
	double mapped;	    /* by loads, without READs */
	double shared_host; /* the clients run on the server's cores */
};

/* Reads an environment.  Each parameter must be there, once: ERR_DATA, with the
 * line, otherwise; ERR_NOT_FOUND for no such file. */
int parameters_read(const char *path, struct parameters *parameters);

/* Changes one: "NAME=VALUE".  ERR_USAGE for a name that isn't one or a value
 * that is out of range. */
int parameters_set(struct parameters *parameters, const char *text);

#endif
