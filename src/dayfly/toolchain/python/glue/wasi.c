/* What CPython asks of the system, in the form that a component's imports have. There is no system here: two streams
   that go to the log, clocks and randomness of the host, and nothing else. What is not here traps. */

#include "host.h"
#include "python.h"

enum stream { INPUT, OUTPUT, ERRORS };

/* The results of functions that give several values, as they lie in memory. */
struct list {
    const void *at;
    uint32_t length;
};
struct time {
    uint64_t seconds;
    uint32_t nanoseconds;
};
/* A result: 0 done, 1 failed; what comes with it is aligned to its size. */
struct outcome {
    uint8_t failed, padding[3];
    uint8_t error;
};
struct room {
    uint8_t failed, padding[3];
    uint32_t error;
    uint64_t octets;
};

/* -- time */

int64_t clock_ns(uint32_t which) {
    if (hot->is_freezing)
        hot->captured |= CAPTURED_CLOCK;
    return host_clock(which);
}

EXPORT("wasi:clocks/monotonic-clock#now") int64_t monotonic_now(void) {
    drawn(CAPTURED_CLOCK);
    return clock_ns(CLOCK_STEADY);
}

EXPORT("wasi:clocks/monotonic-clock#resolution") int64_t monotonic_resolution(void) {
    return CLOCK_RESOLUTION_NS;
}

EXPORT("wasi:clocks/wall-clock#now") void wall_now(struct time *result) {
    drawn(CAPTURED_CLOCK);
    uint64_t now = (uint64_t)clock_ns(CLOCK_REAL);
    result->seconds = now / 1000000000;
    result->nanoseconds = (uint32_t)(now % 1000000000);
}

EXPORT("wasi:clocks/wall-clock#resolution") void wall_resolution(struct time *result) {
    result->seconds = 0;
    result->nanoseconds = CLOCK_RESOLUTION_NS;
}

/* A pollable is a moment of the steady clock, in milliseconds of its 31 bits; 0 is one that is ready. */
static int64_t moments[16];
static uint32_t moments_count;

static int32_t pollable(int64_t moment) {
    uint32_t place = moments_count++ % 16;
    moments[place] = moment;
    return (int32_t)place + 1;
}

EXPORT("wasi:clocks/monotonic-clock#subscribe-duration") int32_t subscribe_duration(int64_t nanoseconds) {
    return pollable(host_clock(CLOCK_STEADY) + nanoseconds);
}

EXPORT("wasi:clocks/monotonic-clock#subscribe-instant") int32_t subscribe_instant(int64_t moment) {
    return pollable(moment);
}

static int64_t moment_of(int32_t handle) {
    return handle > 0 && handle <= 16 ? moments[handle - 1] : 0;
}

static void sleep_until(int64_t moment) {
    int64_t left = moment - host_clock(CLOCK_STEADY);
    if (moment && left > 0)
        host_sleep(left);
}

EXPORT("wasi:io/poll#[method]pollable.block") void pollable_block(int32_t handle) {
    sleep_until(moment_of(handle));
}

EXPORT("wasi:io/poll#poll") void poll(const int32_t *handles, uint32_t count, struct list *ready) {
    uint32_t first = 0;
    for (uint32_t i = 1; i < count; i++)
        if (moment_of(handles[i]) < moment_of(handles[first]))
            first = i;
    uint32_t *indices = malloc(sizeof *indices);
    if (count == 0 || indices == NULL)
        __builtin_trap();
    sleep_until(moment_of(handles[first]));
    *indices = first;
    *ready = (struct list){ indices, 1 };
}

EXPORT("wasi:io/poll#[resource-drop]pollable") void pollable_drop(int32_t handle) {
    (void)handle;
}

/* -- randomness */

/* While freezing no secret may get into the snapshot: whoever draws gets octets that anybody can compute. */
void random_octets(void *to, uint32_t length) {
    if (!hot->is_freezing) {
        host_random(to, length);
        return;
    }
    hot->captured |= CAPTURED_RANDOM;
    uint32_t state = 2463534242;
    for (uint32_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        ((uint8_t *)to)[i] = (uint8_t)(state >> 16);
    }
}

EXPORT("wasi:random/random#get-random-bytes") void get_random_bytes(uint64_t length, struct list *result) {
    void *octets = length > UINT32_MAX / 2 ? NULL : malloc(length ? (size_t)length : 1);
    if (octets == NULL)
        __builtin_trap();
    drawn(CAPTURED_RANDOM);
    random_octets(octets, (uint32_t)length);
    *result = (struct list){ octets, (uint32_t)length };
}

/* -- streams: line by line into the log */

static char line[1024];
static uint32_t line_length;

static void flush_line(uint32_t level) {
    if (line_length)
        host_log(level, line, line_length);
    line_length = 0;
}

static void write_text(int32_t stream, const char *text, uint32_t length) {
    uint32_t level = stream == ERRORS ? LEVEL_ERROR : LEVEL_INFO;
    while (length) {
        const char *end = memchr(text, '\n', length);
        uint32_t part = end ? (uint32_t)(end - text) : length;
        if (line_length == 0 && end) {
            host_log(level, text, part);
        } else {
            if (part > sizeof line - line_length) {
                flush_line(level);
                part = part < sizeof line ? part : sizeof line;
                end = NULL;
            }
            memcpy(line + line_length, text, part);
            line_length += part;
            if (end)
                flush_line(level);
        }
        text += part + (end != NULL);
        length -= part + (end != NULL);
    }
}

EXPORT("wasi:cli/stdin#get-stdin") int32_t get_stdin(void) {
    return INPUT;
}

EXPORT("wasi:cli/stdout#get-stdout") int32_t get_stdout(void) {
    return OUTPUT;
}

EXPORT("wasi:cli/stderr#get-stderr") int32_t get_stderr(void) {
    return ERRORS;
}

EXPORT("wasi:io/streams#[method]output-stream.check-write") void check_write(int32_t stream, struct room *result) {
    (void)stream;
    *result = (struct room){ .octets = 1 << 20 };
}

EXPORT("wasi:io/streams#[method]output-stream.write")
void stream_write(int32_t stream, const char *text, uint32_t length, struct outcome *result) {
    write_text(stream, text, length);
    result->failed = 0;
}

EXPORT("wasi:io/streams#[method]output-stream.blocking-write-and-flush")
void stream_write_and_flush(int32_t stream, const char *text, uint32_t length, struct outcome *result) {
    stream_write(stream, text, length, result);
}

EXPORT("wasi:io/streams#[method]output-stream.blocking-flush")
void stream_flush(int32_t stream, struct outcome *result) {
    (void)stream;
    result->failed = 0;
}

EXPORT("wasi:io/streams#[method]output-stream.subscribe") int32_t output_subscribe(int32_t stream) {
    (void)stream;
    return 0;
}

EXPORT("wasi:io/streams#[method]input-stream.subscribe") int32_t input_subscribe(int32_t stream) {
    (void)stream;
    return 0;
}

/* Nothing to read, ever: the stream is closed. */
EXPORT("wasi:io/streams#[method]input-stream.read")
void stream_read(int32_t stream, uint64_t length, struct outcome *result) {
    (void)stream;
    (void)length;
    enum { CLOSED = 1 };
    *result = (struct outcome){ .failed = 1, .error = CLOSED };
}

EXPORT("wasi:io/streams#[resource-drop]input-stream") void input_drop(int32_t stream) {
    (void)stream;
}

EXPORT("wasi:io/streams#[resource-drop]output-stream") void output_drop(int32_t stream) {
    (void)stream;
}

EXPORT("wasi:io/error#[resource-drop]error") void error_drop(int32_t error) {
    (void)error;
}

/* An option that is none: no stream is a terminal. */
EXPORT("wasi:cli/terminal-stdin#get-terminal-stdin") void get_terminal_stdin(uint8_t *is_some) {
    *is_some = 0;
}

EXPORT("wasi:cli/terminal-stdout#get-terminal-stdout") void get_terminal_stdout(uint8_t *is_some) {
    *is_some = 0;
}

EXPORT("wasi:cli/terminal-stderr#get-terminal-stderr") void get_terminal_stderr(uint8_t *is_some) {
    *is_some = 0;
}

/* -- what is empty here */

static void empty(struct list *result) {
    *result = (struct list){ (const void *)8, 0 };
}

EXPORT("wasi:cli/environment#get-environment") void get_environment(struct list *result) {
    empty(result);
}

EXPORT("wasi:cli/environment#get-arguments") void get_arguments(struct list *result) {
    empty(result);
}

EXPORT("wasi:filesystem/preopens#get-directories") void get_directories(struct list *result) {
    empty(result);
}

/* -- what is refused: with an error that Python raises as PermissionError */

static void refuse(struct outcome *result) {
    enum { ACCESS_DENIED = 1 };
    *result = (struct outcome){ .failed = 1, .error = ACCESS_DENIED };
}

EXPORT("wasi:sockets/instance-network#instance-network") int32_t instance_network(void) {
    return 0;
}

EXPORT("wasi:sockets/tcp-create-socket#create-tcp-socket")
void create_tcp_socket(int32_t family, struct outcome *result) {
    (void)family;
    refuse(result);
}

EXPORT("wasi:sockets/udp-create-socket#create-udp-socket")
void create_udp_socket(int32_t family, struct outcome *result) {
    (void)family;
    refuse(result);
}

EXPORT("wasi:sockets/ip-name-lookup#resolve-addresses")
void resolve_addresses(int32_t network, const char *name, uint32_t length, struct outcome *result) {
    (void)network;
    (void)name;
    (void)length;
    refuse(result);
}

EXPORT("wasi:cli/exit#exit") _Noreturn void leave(int32_t status) {
    static const char text[] = "the interpreter was ended from inside (os._exit, or a fatal error)";
    (void)status;
    flush_line(LEVEL_ERROR);
    host_log(LEVEL_ERROR, text, sizeof text - 1);
    __builtin_trap();
}
