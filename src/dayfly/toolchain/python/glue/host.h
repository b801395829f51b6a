/* The hostcalls and the guest ABI: docs/guest-abi.md. */
#ifndef DAYFLY_HOST_H
#define DAYFLY_HOST_H

#include <stddef.h>
#include <stdint.h>

#define HOSTCALL(name) __attribute__((import_module("dayfly"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(name)))

HOSTCALL(log) void host_log(uint32_t level, const char *text, uint32_t length);
HOSTCALL(clock) int64_t host_clock(uint32_t which);
HOSTCALL(random) void host_random(void *to, uint32_t length);
HOSTCALL(body_read) uint32_t host_body_read(uint32_t offset, void *to, uint32_t length);
HOSTCALL(sleep) void host_sleep(int64_t nanoseconds);
HOSTCALL(secret) int32_t host_secret(const char *name, uint32_t length, void *to, uint32_t room);

enum { LEVEL_INFO = 1, LEVEL_ERROR = 3 };
enum { CLOCK_REAL = 0, CLOCK_STEADY = 1, CLOCK_RESOLUTION_NS = 1000000 };

struct text {
    const char *at;
    uint32_t length;
};

struct field {
    struct text name, value;
};

/* Pairs of pointer and length, by the number of the part; those of HEADERS and TOTAL mean something else. */
enum part { METHOD, PATH, QUERY, HEADERS, BODY, TOTAL, CLIENT, SCHEME, HOST, MOUNT, PARTS };
/* What else an argument of an entry may be: a path that is converted only if it is not plain, and no part at all. */
enum { TEXT_OF_PATH = PARTS, NO_PART, SOURCES, ARGUMENTS_MAX = 16 };
struct frame {
    struct text parts[PARTS];
};

struct reply {
    uint32_t status;
    struct text content_type;
    struct field *fields;
    uint32_t fields_count;
    struct text body, error;
};

/* What was drawn while freezing, so that it is part of the snapshot. */
enum { CAPTURED_RANDOM = 1, CAPTURED_CLOCK = 2 };

/* Everything that a request writes here. */
struct hot {
    uint32_t is_freezing;
    uint32_t captured;
    const struct frame *frame;
    struct object *later;
    struct reply reply;
};

/* Hidden: an address within the module is no entry of a table for the linker to fill. */
#define INTERNAL __attribute__((visibility("hidden")))
extern INTERNAL struct hot *hot;

/* Room beside the top of the C stack, and the interpreter's thread moved there: near.c. */
INTERNAL void make_room_near(void);
INTERNAL void *room_near(size_t size);
INTERNAL void move_thread(void);

/* Memory that nothing is in any more, and what of the C stack is below the caller. */
INTERNAL void clear(char *at, size_t size);
INTERNAL void clear_stack(void);

/* The clocks and octets that Python sees, before and after the snapshot. */
INTERNAL int64_t clock_ns(uint32_t which);
INTERNAL void random_octets(void *to, uint32_t length);

/* Says that the interpreter itself has drawn something: while freezing whoever watches is told. */
INTERNAL void drawn(uint32_t what);

#endif
