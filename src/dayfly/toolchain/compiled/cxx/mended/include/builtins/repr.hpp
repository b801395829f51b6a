#ifndef PYTHONIC_INCLUDE_BUILTIN_REPR_HPP
#define PYTHONIC_INCLUDE_BUILTIN_REPR_HPP

#include "pythonic/include/types/str.hpp"
#include "pythonic/include/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace builtins
{
  template <class T>
  types::str repr(T const &t);

  DEFINE_FUNCTOR(pythonic::builtins, repr);
} // namespace builtins
PYTHONIC_NS_END

#endif
