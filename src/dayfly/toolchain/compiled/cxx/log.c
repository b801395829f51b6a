#include "dayfly/log.h"

#include <string.h>

/* An unfinished line waits here for its end; a longer one is cut, as the host would cut it anyway (8 KiB a request). */
#define PENDING_BYTES_MAX 1024

static struct {
  int32_t level;
  uint32_t size;
  char text[PENDING_BYTES_MAX];
} pending;

void log_flush(void) {
  if (pending.size == 0) return;
  dayfly_log(pending.level, pending.text, pending.size);
  pending.size = 0;
}

static void keep(int32_t level, const char *text, size_t size) {
  if (pending.level != level) log_flush();
  while (size > 0) {
    size_t part = PENDING_BYTES_MAX - pending.size;
    if (part > size) part = size;
    memcpy(pending.text + pending.size, text, part);
    pending.level = level;
    pending.size += (uint32_t)part;
    text += part;
    size -= part;
    if (pending.size == PENDING_BYTES_MAX) log_flush();
  }
}

static void end_line(int32_t level, const char *text, size_t size) {
  if (pending.size == 0) {
    dayfly_log(level, text, (uint32_t)size);
    return;
  }
  keep(level, text, size);
  log_flush();
}

void log_write(int32_t level, const char *text, size_t size) {
  for (const char *end; size > 0 && (end = memchr(text, '\n', size)); size -= (size_t)(end + 1 - text), text = end + 1)
    end_line(level, text, (size_t)(end - text));
  keep(level, text, size);
}
