/* The hot zone: everything that nearly every request writes, in the one page that the stack dirties anyway.
 *
 *   0                                     stack top        __stack_high
 *   | stack, grows downwards ............ | hot zone, 2 KiB | constants, data, heap ...
 *                               `-------- one 4 KiB page --------'
 *
 * A request costs the host one copy for each page it dirties, so a program that answers from its snapshot should dirty
 * this page and no other. The linker puts the stack first and its end on a page boundary; `_initialize` lowers the
 * stack pointer by HOT_ZONE_BYTES.
 */
#pragma once
#include "abi.h"

#define HOT_ZONE_BYTES 2048
#define HEAP_CLASSES 48

typedef struct free_block {
  struct free_block *next;
} free_block;

typedef struct {
  /* Heap: [top, limit) is free. The first `frozen_bytes` after the hot zone (constants and what the start-up allocated)
   * belong to the snapshot and are never freed; not even their reference counts are written. */
  uintptr_t top;
  uintptr_t limit;
  uintptr_t frozen_bytes;
  /* While a request fits into the rest of the hot zone its blocks come from there, and `top` waits here. */
  uintptr_t top_outside;
  uintptr_t limit_outside;
  free_block *free_lists[HEAP_CLASSES];
  dayfly_reply reply;
  uint32_t reply_object[8]; /* what the record points into */
} hot_zone;

extern unsigned char __stack_high;
#define hot ((hot_zone *)(&__stack_high - HOT_ZONE_BYTES))
#define HOT_HEAP_START ((uintptr_t)(&__stack_high - HOT_ZONE_BYTES) + ((sizeof(hot_zone) + 4 + 15) & ~15u))
#define HOT_HEAP_END ((uintptr_t)&__stack_high)

/* Whether something belongs to the snapshot: then it is neither freed nor counted, so that reading it dirties no page. */
static inline int is_frozen(const void *object) { return (uintptr_t)object - HOT_HEAP_END < hot->frozen_bytes; }

#ifdef __cplusplus
extern "C" {
#endif
/* Everything allocated so far belongs to the snapshot; called once, last, while freezing. */
void heap_freeze(void);
#ifdef __cplusplus
}
#endif
