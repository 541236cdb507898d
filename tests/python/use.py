# SPDX-License-Identifier: BSD-2-Clause
"""Uses the Python module with a server of two dimensions and one of three.

usage: use.py ADDRESS ADDRESS-3D LAYOUT

LAYOUT is what the program 'layout' prints.  Prints TAP."""

import ctypes
import sys
import threading

import catfish

address, address_3d, layout = sys.argv[1:]
claims = []


def claim(what, holds):
    claims.append(bool(holds))
    print(f"{'ok' if holds else 'not ok'} {len(claims)} - {what}")


def fails(error, call, *arguments, **options):
    """The error that a call raises, or None when it is another kind."""
    try:
        call(*arguments, **options)
    except error as raised:
        return raised
    return None


def grid(n):
    """n by n points, ids by row."""
    return [(n * y + x, (x, y, x, y)) for y in range(n) for x in range(n)]


def check_layout():
    with open(layout) as file:
        wanted = {name: int(number)
                  for name, number in map(str.split, file)}
    found = {}
    for name, struct in (("options", catfish._Options),
                         ("answer", catfish.Answer),
                         ("written", catfish.Written),
                         ("stat", catfish.Stat)):
        found[name] = ctypes.sizeof(struct)
        for field, _ in struct._fields_:
            found[f"{name}.{field.lstrip('_')}"] = getattr(struct,
                                                           field).offset
    claim("structs are laid out as the library's", found == wanted)


def check_searches(server):
    items = grid(100)
    written = server.load(iter(items))
    claim("what is loaded is one version", written.applied == len(items))
    claim("and all of it is found, beyond the first room for it",
          sorted(server.search((0, 0, 99, 99))) == sorted(
              (id, tuple(map(float, box))) for id, box in items))
    claim("an answer says from which version it is",
          server.answer.version == written.version
          and server.answer.count == len(items))
    ids, boxes = server.search_arrays((3, 4, 4, 4))
    claim("arrays hold ids, and boxes in a row",
          sorted(zip(ids, zip(*[iter(boxes)] * 4)))
          == [(403, (3, 4, 3, 4)), (404, (4, 4, 4, 4))])
    claim("a count agrees", server.count((10, 10, 19, 19)) == 100)
    claim("a limit holds", len(server.search((0, 0, 99, 99), limit=7)) == 7
          and server.answer.truncated)
    server.insert([(-1, (10.5, 10.5, 11.5, 11.5))])
    claim("relations differ",
          [id for id, _ in server.search((10.6, 10.6, 10.7, 10.7),
                                         "contains")] == [-1]
          and not server.search((10.6, 10.6, 10.7, 10.7), "within"))
    claim("the nearest come first, and by id",
          [(id, distance) for id, _, distance in server.nearest((0, -1), 3)]
          == [(0, 1), (1, 2 ** .5), (100, 2)])


def check_writes(server):
    box, to = (10.5, 10.5, 11.5, 11.5), (200, 200, 201, 201)
    written, missing = server.update([(-2, box, to), (-1, box, to)])
    claim("what is moved is found there, and what isn't there is named",
          (written.applied, missing) == (1, [0])
          and server.search(to) == [(-1, to)])
    written, missing = server.delete([(-1, to), (-1, to)])
    claim("what is removed is gone", (written.applied, missing) == (1, [1])
          and not server.search(to))
    stat = server.stat()
    claim("the statistics count it all",
          stat.items == 10000 and stat.inserts == 1
          and len(stat.nodes) == stat.height and sum(stat.nodes) > 100)


def check_errors(server):
    raised = fails(catfish.Error, server.search, (1, 1, 0, 0))
    claim("a box that is none is the library's error",
          raised and raised.code == catfish.Error.DATA and "1" in str(raised))
    raised = fails(catfish.Error, server.insert,
                   [(1, (0, 0, 1, 1)), (2, (0, 0, float("nan"), 1))])
    claim("which tells that nothing was written",
          raised and raised.written.applied == 0)
    claim("numbers that are too few are told",
          fails(ValueError, server.search, (1, 1, 1)))
    claim("so are names that don't exist",
          fails(ValueError, server.search, (1, 1, 2, 2), "touches")
          and fails(ValueError, catfish.connect, address, policy="fastest"))
    claim("a load of what is no item leaves the connection well",
          fails(TypeError, server.load, [(1, (0, 0, 1, 1)), 2], "append")
          and server.count((0, 0, 99, 99)) == 10000)
    claim("no server is the library's error",
          fails(catfish.Error, catfish.connect,
                address + ".none").code == catfish.Error.CONNECTION)
    claim("a server of three dimensions is not searched in two",
          fails(catfish.Error, catfish.connect,
                address_3d).code == catfish.Error.UNSUPPORTED)


def check_paths():
    found = []

    def search(path, **options):
        with catfish.connect(address, **options) as server:
            for i in range(99):
                found.append(server.count((i, i, i + 1, i + 1)) == 4)
            found.append(path in (server.answer.path, None))

    ways = (
        (0, {"policy": "messaging"}),
        (None, {"policy": "adaptive"}),
        (1, {"policy": "offload", "offload": "copy"}),
        (1, {"policy": "offload", "offload": "mapped"}),
    )
    threads = [threading.Thread(target=search, args=[path], kwargs=options)
               for path, options in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claim("threads search by all paths at a time",
          len(found) == 400 and all(found))


def check_space():
    with catfish.connect(address_3d, dimensions=3) as server:
        server.insert([(7, (1, 2, 3, 4, 5, 6))])
        claim("three dimensions are six numbers",
              server.search((4, 5, 6, 7, 8, 9)) == [(7, (1, 2, 3, 4, 5, 6))]
              and server.nearest((1, 2, 1), 1)[0][2] == 2
              and fails(ValueError, server.count, (0, 0, 1, 1)))


check_layout()
with catfish.connect(address) as server:
    check_searches(server)
    check_writes(server)
    check_errors(server)
claim("a closed connection says so", fails(ValueError, server.stat))
check_paths()
check_space()
print(f"1..{len(claims)}")
sys.exit(not all(claims))
