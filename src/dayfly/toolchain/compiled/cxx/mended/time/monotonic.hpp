#ifndef PYTHONIC_TIME_MONOTONIC_HPP
#define PYTHONIC_TIME_MONOTONIC_HPP

#include "pythonic/include/time/monotonic.hpp"

#include "dayfly/abi.h"

PYTHONIC_NS_BEGIN

namespace time
{
  inline double monotonic()
  {
    return static_cast<double>(dayfly_clock(DAYFLY_CLOCK_MONOTONIC)) / 1e9;
  }
} // namespace time
PYTHONIC_NS_END

#endif
