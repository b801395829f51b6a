// How the types raise Python's exceptions before Pythran's exception classes, which need those types, are known.
// Defined in raise.hpp. Out of line and cold: the checks that call them stand in every loop.
#pragma once
#include "text.h"

PYTHONIC_NS_BEGIN
namespace show
{
  [[noreturn]] void raise_index_error(char const *message);
  [[noreturn]] void raise_key_error(std::string const &key);
  [[noreturn]] void raise_overflow_error(char const *message);
  [[noreturn]] void raise_type_error(char const *message);
  [[noreturn]] void raise_value_error(char const *message);
  [[noreturn]] void raise_zero_division_error(char const *message);
  [[noreturn]] void raise_memory_error();
  [[noreturn]] void raise(::dayfly::problem found);

  inline void raise_if(::dayfly::problem found)
  {
    if (found)
      raise(std::move(found));
  }

  // The place of an index that may count from the end.
  inline long long checked_index(long long index, long long size, char const *message)
  {
    if (index < 0)
      index += size;
    if (index < 0 || index >= size)
      raise_index_error(message);
    return index;
  }

  [[noreturn]] void raise_axis_error(long long index, long long axis, long long size);

  // The same for an axis of an array.
  inline long long checked_axis(long long index, long long axis, long long size)
  {
    long long place = index < 0 ? index + size : index;
    if (place < 0 || place >= size)
      raise_axis_error(index, axis, size);
    return place;
  }

  [[noreturn]] inline void raise_int_overflow()
  {
    raise_overflow_error("int beyond 64 bits");
  }
} // namespace show
PYTHONIC_NS_END
