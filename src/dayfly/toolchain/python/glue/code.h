/* Byte code that loading changes: code.c. */
#ifndef DAYFLY_CODE_H
#define DAYFLY_CODE_H

#include "host.h"
#include "python.h"

/* Where code objects have their units, and how many caches follow each operation. */
INTERNAL void code_form(size_t offset, const uint8_t *caches);
INTERNAL void code_adapt(struct code *, const uint8_t *changed);

/* In the base: from here on it is noted what is run; now; there will be copies of that; these are made. */
INTERNAL void code_mark(void);
INTERNAL void code_note(void);
INTERNAL void code_keep(void);
INTERNAL void code_copy(void);

/* After loading. */
INTERNAL void code_restore(void);

#endif
