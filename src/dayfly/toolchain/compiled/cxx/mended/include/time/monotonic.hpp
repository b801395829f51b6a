#ifndef PYTHONIC_INCLUDE_TIME_MONOTONIC_HPP
#define PYTHONIC_INCLUDE_TIME_MONOTONIC_HPP

#include "pythonic/include/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace time
{
  double monotonic();

  DEFINE_FUNCTOR(pythonic::time, monotonic);
} // namespace time
PYTHONIC_NS_END

#endif
