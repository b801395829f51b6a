/* Guest ABI v1: the records that the host writes and reads, and what the guest may ask of it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char *data;
  uint32_t size;
} dayfly_text;

typedef struct {
  dayfly_text name;
  dayfly_text value;
} dayfly_field;

/* What a program takes: the bits of `dayfly_takes`. */
enum { DAYFLY_TAKES_METHOD = 1, DAYFLY_TAKES_PATH = 2, DAYFLY_TAKES_QUERY = 4, DAYFLY_TAKES_BODY = 16 };

/* Written by the host, only the parts that the program takes; the rest is zero. */
typedef struct {
  dayfly_text method;
  dayfly_text path;  /* as received, percent-encoded, after the mount prefix */
  dayfly_text query; /* as received, without the question mark */
  const dayfly_field *headers;
  uint32_t header_count;
  dayfly_text body; /* the first octets of it; the rest is pulled with dayfly_body_read */
  uint32_t body_bytes_total;
  uint32_t reserved;
  dayfly_text client;
  dayfly_text scheme;
  dayfly_text host;
  dayfly_text mount;
} dayfly_frame;

/* Read by the host after `dayfly_handle`. Status 0: the program failed, `error` says how. */
typedef struct {
  uint32_t status;
  dayfly_text content_type;
  const dayfly_field *headers;
  uint32_t header_count;
  dayfly_text body;
  dayfly_text error;
} dayfly_reply;

enum { DAYFLY_LOG_DEBUG, DAYFLY_LOG_INFO, DAYFLY_LOG_WARNING, DAYFLY_LOG_ERROR, DAYFLY_LOG_CRITICAL };
enum { DAYFLY_CLOCK_REALTIME, DAYFLY_CLOCK_MONOTONIC };

#define DAYFLY_HOSTCALL(name) __attribute__((import_module("dayfly"), import_name(name)))
void dayfly_log(int32_t level, const void *text, uint32_t size) DAYFLY_HOSTCALL("log");
int64_t dayfly_clock(int32_t which) DAYFLY_HOSTCALL("clock");
void dayfly_random(void *buffer, uint32_t size) DAYFLY_HOSTCALL("random");
int32_t dayfly_body_read(uint32_t offset, void *buffer, uint32_t size) DAYFLY_HOSTCALL("body_read");
void dayfly_sleep(int64_t ns) DAYFLY_HOSTCALL("sleep");
#undef DAYFLY_HOSTCALL

#ifdef __cplusplus
}
static_assert(sizeof(dayfly_frame) == 80, "the frame is 80 octets");
static_assert(sizeof(dayfly_reply) == 36, "the reply record is nine words");
#endif
