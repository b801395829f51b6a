// Pythran's exceptions, thrown for the functions of faults.hpp.
#pragma once
#include "faults.hpp"

#include <pythonic/include/types/exceptions.hpp>
#include <pythonic/types/exceptions.hpp>

PYTHONIC_NS_BEGIN
namespace show
{
#define DAYFLY_RAISE(function, Error)                                             \
  [[noreturn, gnu::noinline, gnu::cold]] inline void function(char const *message) \
  {                                                                               \
    throw types::Error(types::str(message));                                      \
  }
  DAYFLY_RAISE(raise_index_error, IndexError)
  DAYFLY_RAISE(raise_overflow_error, OverflowError)
  DAYFLY_RAISE(raise_type_error, TypeError)
  DAYFLY_RAISE(raise_value_error, ValueError)
  DAYFLY_RAISE(raise_zero_division_error, ZeroDivisionError)
#undef DAYFLY_RAISE

  [[noreturn, gnu::noinline, gnu::cold]] inline void raise_key_error(std::string const &key)
  {
    throw types::KeyError(types::str(key));
  }

  [[noreturn, gnu::noinline, gnu::cold]] inline void raise_memory_error()
  {
    throw types::MemoryError();
  }

  [[noreturn, gnu::noinline, gnu::cold]] inline void raise_axis_error(long long index, long long axis, long long size)
  {
    std::string message = "index ";
    ::dayfly::append_int(message, index);
    message += " is out of bounds for axis ";
    ::dayfly::append_int(message, axis);
    message += " with size ";
    ::dayfly::append_int(message, size);
    throw types::IndexError(types::str(message));
  }

  [[noreturn, gnu::noinline, gnu::cold]] inline void raise_changed_size()
  {
    throw types::RuntimeError(types::str("dictionary changed size during iteration"));
  }

  [[noreturn, gnu::noinline, gnu::cold]] inline void raise(::dayfly::problem found)
  {
    types::str message(std::move(found.message));
    switch (found.kind) {
    case ::dayfly::fault::type_error:
      throw types::TypeError(message);
    case ::dayfly::fault::overflow_error:
      throw types::OverflowError(message);
    default:
      throw types::ValueError(message);
    }
  }
} // namespace show
PYTHONIC_NS_END
