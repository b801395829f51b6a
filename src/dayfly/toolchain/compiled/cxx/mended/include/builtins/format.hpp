#ifndef PYTHONIC_INCLUDE_BUILTIN_FORMAT_HPP
#define PYTHONIC_INCLUDE_BUILTIN_FORMAT_HPP

#include "pythonic/include/types/str.hpp"
#include "pythonic/include/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace builtins
{
  template <class T>
  types::str format(T const &value, types::str const &spec = {});

  DEFINE_FUNCTOR(pythonic::builtins, format);
} // namespace builtins
PYTHONIC_NS_END

#endif
