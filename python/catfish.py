# SPDX-License-Identifier: BSD-2-Clause
"""Search and change the items of a Catfish server, by libcatfish.

    import catfish

    with catfish.connect("shm:///run/catfish.sock") as server:
        server.insert([(42, (2.22, 48.81, 2.47, 48.91))])
        for id, box in server.search((2, 48, 3, 49)):
            print(id, box)

A box is xmin, ymin, xmax, ymax, or, of a server with three dimensions, xmin,
ymin, zmin, xmax, ymax, zmax: finite numbers, min <= max.  An item is a pair of
a 64-bit id and a box.  catfish.h, the manual of the library, says what each
call promises; this module adds nothing but Python's types.

Every function raises Error.  One connection is for one thread at a time; calls
release the interpreter's lock while they wait.
"""

import ctypes
from array import array
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_double,
                    c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p)

__all__ = ["connect", "Server", "Answer", "Written", "Stat", "Error"]

POLICIES = {"adaptive": 0, "messaging": 1, "offload": 2, "catfish": 3}
OFFLOADS = {"auto": 0, "copy": 1, "mapped": 2}
RELATIONS = {"intersects": 0, "contains": 1, "within": 2}
LOAD_MODES = {"empty": 0, "append": 1, "replace": 2}

# Items that one call of the library is given.
_BATCH = 1 << 16


class Error(Exception):
    """What the library says of a call that failed.

    code: enum catfish_error, such as Error.CONNECTION
    written: what became of the call's writes, or None
    """

    USAGE = -1
    UNSUPPORTED = -2
    CONNECTION = -3
    PROTOCOL = -4
    BUSY = -5
    DATA = -6
    DAMAGED = -7
    NO_ROOM = -8
    NO_MEMORY = -9
    SYSTEM = -10
    TIMEOUT = -11

    def __init__(self, code, text, written=None):
        super().__init__(text)
        self.code = code
        self.written = written


class _Fields(Structure):
    def __repr__(self):
        fields = ", ".join(f"{name}={getattr(self, name)!r}"
                           for name, *_ in self._fields_)
        return f"{type(self).__name__}({fields})"


class Answer(_Fields):
    """What an answer was and what it took: struct catfish_answer."""

    _fields_ = [
        ("identity", c_uint64), ("version", c_uint64), ("count", c_uint64),
        ("truncated", c_int), ("path", c_int), ("offload", c_int),
        ("round_trips", c_uint64), ("reads", c_uint64),
        ("read_bytes", c_uint64), ("nodes", c_uint64), ("cached", c_uint64),
        ("retries", c_uint64), ("lease_expiries", c_uint64),
        ("pushed_back", c_uint64), ("time_ns", c_uint64),
    ]


class Written(_Fields):
    """What became of a call's writes: struct catfish_written."""

    _fields_ = [
        ("identity", c_uint64), ("version", c_uint64), ("applied", c_uint64),
        ("not_found", c_uint64), ("uncertain", c_uint64),
    ]


class Stat(_Fields):
    """The server's counts: struct catfish_stat.  'nodes' and 'entries' are by
    level, leaves first."""

    _fields_ = [
        ("identity", c_uint64), ("version", c_uint64), ("items", c_uint64),
        ("height", c_uint64), ("_nodes", c_uint64 * 16),
        ("_entries", c_uint64 * 16), ("region_bytes", c_uint64),
        ("page_bytes", c_uint64), ("pages", c_uint64),
        ("free_pages", c_uint64), ("retired_pages", c_uint64),
        ("lease_ns", c_uint64), ("heartbeat_ns", c_uint64),
        ("uptime_ns", c_uint64), ("since_save_ns", c_uint64),
        ("unsaved_versions", c_uint64), ("clients", c_uint64),
        ("one_sided_clients", c_uint64), ("threads", c_uint64),
        ("searches", c_uint64), ("counts", c_uint64), ("nearest", c_uint64),
        ("inserts", c_uint64), ("updates", c_uint64), ("deletes", c_uint64),
        ("loads", c_uint64), ("offloaded", c_uint64),
        ("pushed_back", c_uint64), ("utilisation", c_double),
        ("process_id", c_uint32),
    ]

    @property
    def nodes(self):
        return list(self._nodes[:self.height])

    @property
    def entries(self):
        return list(self._entries[:self.height])


class _Options(Structure):
    _fields_ = [
        ("policy", c_int), ("offload", c_int), ("timeout_ms", c_uint32),
        ("reconnect_ms", c_uint32), ("device", c_char_p),
        ("cache_size", c_uint64), ("threshold", c_double),
        ("backoff", c_uint32), ("exploration", c_double), ("seed", c_uint64),
    ]


_NEIGHBOUR = CFUNCTYPE(c_int, c_void_p, c_int64, POINTER(c_double), c_double)
_MISSING = CFUNCTYPE(None, c_void_p, c_size_t)


class _Library:
    """libcatfish, or libcatfish3d, and the types that depend on which."""

    _loaded = {}

    @classmethod
    def of(cls, dimensions):
        if dimensions not in (2, 3):
            raise ValueError(f"dimensions are 2 or 3, not {dimensions!r}")
        if dimensions not in cls._loaded:
            cls._loaded[dimensions] = cls(dimensions)
        return cls._loaded[dimensions]

    def __init__(self, dimensions):
        class Query(Structure):
            _fields_ = [("box", c_double * (2 * dimensions)),
                        ("relation", c_int), ("limit", c_uint64)]

        class Item(Structure):
            _fields_ = [("id", c_int64), ("box", c_double * (2 * dimensions))]

        class Move(Structure):
            _fields_ = [("item", Item), ("to", c_double * (2 * dimensions))]

        self.query, self.item, self.move = Query, Item, Move
        self.edges = 2 * dimensions
        self.point = c_double * dimensions
        self.c = ctypes.CDLL("libcatfish3d.so.0" if dimensions == 3
                             else "libcatfish.so.0")
        self._declare("connect_3d" if dimensions == 3 else "connect")

    def _declare(self, connect):
        written, answer = POINTER(Written), POINTER(Answer)
        items, moves = POINTER(self.item), POINTER(self.move)
        missing = [_MISSING, c_void_p]
        for name, *arguments in (
                (connect, c_char_p, POINTER(_Options), POINTER(c_void_p)),
                ("search_into", c_void_p, POINTER(self.query), c_void_p,
                 c_void_p, c_size_t, answer),
                ("count", c_void_p, POINTER(self.query), POINTER(c_uint64),
                 answer),
                ("nearest", c_void_p, POINTER(c_double), c_uint64, _NEIGHBOUR,
                 c_void_p, answer),
                ("insert", c_void_p, items, c_size_t, written),
                ("delete", c_void_p, items, c_size_t, *missing, written),
                ("update", c_void_p, moves, c_size_t, *missing, written),
                ("load_begin", c_void_p, c_int, c_uint64),
                ("load_items", c_void_p, items, c_size_t),
                ("load_commit", c_void_p, written),
                ("load_abort", c_void_p),
                ("stat", c_void_p, POINTER(Stat))):
            function = getattr(self.c, "catfish_" + name)
            function.argtypes = arguments
            function.restype = c_int
        self.connect = getattr(self.c, "catfish_" + connect)
        self.c.catfish_close.argtypes = [c_void_p]
        self.c.catfish_close.restype = None
        self.c.catfish_error_text.restype = c_char_p

    def check(self, error, written=None):
        if error:
            text = self.c.catfish_error_text().decode(errors="replace")
            raise Error(error, text, written)

    def box(self, box):
        box = tuple(box)
        if len(box) != self.edges:
            raise ValueError(f"a box has {self.edges} numbers, not {len(box)}")
        return (c_double * self.edges)(*box)


def _choice(kinds, what, name):
    if name not in kinds:
        raise ValueError(f"no such {what}: {name!r}; there are "
                         + ", ".join(kinds))
    return kinds[name]


def connect(address, *, dimensions=2, policy="adaptive", offload="auto",
            timeout_ms=0, reconnect_ms=0, device=None, cache_size=0):
    """Connects to "shm:///path/to.sock", "verbs://host:port" or
    "tcp://host:port", and returns a Server.

    policy: adaptive, messaging, offload or catfish; offload: auto, copy or
    mapped; the others as in struct catfish_options, 0 being the default.
    """
    library = _Library.of(dimensions)
    options = _Options(policy=_choice(POLICIES, "policy", policy),
                       offload=_choice(OFFLOADS, "way to offload", offload),
                       timeout_ms=timeout_ms, reconnect_ms=reconnect_ms,
                       device=device.encode() if device else None,
                       cache_size=cache_size)
    server = c_void_p()
    library.check(library.connect(address.encode(), byref(options),
                                  byref(server)))
    return Server(library, server)


class Server:
    """A connection, made by connect().  'answer' tells of the last search, count
    or nearest() what it took."""

    def __init__(self, library, handle):
        self._library = library
        self._handle = handle
        self._room = 256
        self.answer = None

    def close(self):
        """Ends the connection; a second time it does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._library.c.catfish_close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()

    # --- Searching ---------------------------------------------------------

    def search(self, box, relation="intersects", limit=0):
        """The items that match, as a list of (id, box): those that intersect
        the box, contain it or lie within it; no more than 'limit', 0 being all.
        All are of one version of the tree."""
        ids, boxes = self.search_arrays(box, relation, limit)
        edges = self._library.edges
        return [(id, tuple(boxes[edges * i:edges * (i + 1)]))
                for i, id in enumerate(ids)]

    def search_arrays(self, box, relation="intersects", limit=0):
        """As search(), but returns two arrays, of ids ('q') and of the boxes'
        numbers, all in a row ('d'), as numpy.frombuffer() takes them."""
        library, query = self._library, self._query(box, relation, limit)
        while True:
            ids = array("q", bytes(8 * self._room))
            boxes = array("d", bytes(8 * library.edges * self._room))
            answer = Answer()
            library.check(library.c.catfish_search_into(
                self._open(), byref(query), ids.buffer_info()[0],
                boxes.buffer_info()[0], self._room, byref(answer)))
            if answer.count <= self._room:
                break
            # Others may be inserting.
            self._room = answer.count + answer.count // 8
        self.answer = answer
        del ids[answer.count:], boxes[library.edges * answer.count:]
        return ids, boxes

    def count(self, box, relation="intersects"):
        """How many items search() would find."""
        count, answer = c_uint64(), Answer()
        self._library.check(self._library.c.catfish_count(
            self._open(), byref(self._query(box, relation, 0)), byref(count),
            byref(answer)))
        self.answer = answer
        return count.value

    def nearest(self, point, k):
        """The k items nearest to a point, x, y (and z), as a list of
        (id, box, distance), the nearest first, and where distances are equal by
        id."""
        library, found, answer = self._library, [], Answer()
        point = tuple(point)
        if 2 * len(point) != library.edges:
            raise ValueError(f"a point has {library.edges // 2} numbers, "
                             f"not {len(point)}")

        def take(_, id, box, distance):
            found.append((id, tuple(box[:library.edges]), distance))
            return 0

        library.check(library.c.catfish_nearest(
            self._open(), library.point(*point), k, _NEIGHBOUR(take), None,
            byref(answer)))
        self.answer = answer
        return found

    # --- Changing ----------------------------------------------------------

    def insert(self, items):
        """Inserts items; returns what was written."""
        items = self._items(items)
        written = Written()
        self._library.check(self._library.c.catfish_insert(
            self._open(), items, len(items), byref(written)), written)
        return written

    def delete(self, items):
        """Removes, for each, one item with this id and exactly this box.
        Returns what was written, and the indices of those that were not
        found."""
        items = self._items(items)
        return self._change(self._library.c.catfish_delete, items)

    def update(self, moves):
        """Moves items: each is a triple of an id, the item's box, and that which
        it is to have.  Returns as delete()."""
        library = self._library
        moves = [library.move(library.item(id, library.box(box)),
                              library.box(to)) for id, box, to in moves]
        return self._change(library.c.catfish_update,
                            (library.move * len(moves))(*moves))

    def load(self, items, mode="empty"):
        """Loads any number of items, which an iterable gives, so that all become
        visible at once.  mode: empty (there must be no items yet), append or
        replace."""
        library, server = self._library, self._open()
        written, batch = Written(), []
        library.check(library.c.catfish_load_begin(
            server, _choice(LOAD_MODES, "mode", mode), 0))
        try:
            for item in items:
                batch.append(item)
                if len(batch) == _BATCH:
                    self._load_batch(batch)
                    batch.clear()
            self._load_batch(batch)
            library.check(library.c.catfish_load_commit(server,
                                                        byref(written)),
                          written)
        except BaseException:
            library.c.catfish_load_abort(server)
            raise
        return written

    # --- The server --------------------------------------------------------

    def stat(self):
        """The server's counts."""
        stat = Stat()
        self._library.check(self._library.c.catfish_stat(self._open(),
                                                         byref(stat)))
        return stat

    # --- Within ------------------------------------------------------------

    def _open(self):
        if self._handle is None:
            raise ValueError("the connection is closed")
        return self._handle

    def _query(self, box, relation, limit):
        return self._library.query(
            self._library.box(box), _choice(RELATIONS, "relation", relation),
            limit)

    def _items(self, items):
        library = self._library
        items = [library.item(id, library.box(box)) for id, box in items]
        return (library.item * len(items))(*items)

    def _change(self, function, changes):
        missing, written = [], Written()
        self._library.check(function(
            self._open(), changes, len(changes),
            _MISSING(lambda _, index: missing.append(index)), None,
            byref(written)), written)
        return written, missing

    def _load_batch(self, batch):
        items = self._items(batch)
        self._library.check(self._library.c.catfish_load_items(
            self._open(), items, len(items)))
