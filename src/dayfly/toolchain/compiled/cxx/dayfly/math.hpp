// The module math. Every pythonic/math/*.hpp leads here, but those of the constants.
#pragma once
#include <cmath>
#include <numeric>
#include <tuple>

#include "arithmetic.hpp"

#include <pythonic/include/utils/functor.hpp>

PYTHONIC_NS_BEGIN
namespace math
{
#define DAYFLY_FUNCTOR(name) DEFINE_FUNCTOR(pythonic::math, name)
#define DAYFLY_FUNCTION(name, expression) \
  inline auto name(double x)              \
  {                                       \
    return expression;                    \
  }                                       \
  DAYFLY_FUNCTOR(name);

  // No NaN from numbers, and no infinity from finite ones: Python raises instead.
  inline double in_domain(double result, double x, double y = 0)
  {
    if (std::isnan(result) && !std::isnan(x) && !std::isnan(y))
      show::raise_value_error("math domain error");
    return result;
  }

  inline double in_range(double result, double x, double y = 0)
  {
    if (std::isinf(result) && std::isfinite(x) && std::isfinite(y))
      show::raise_overflow_error("math range error");
    return in_domain(result, x, y);
  }

  inline double without_pole(double result, double x)
  {
    if (std::isinf(result) && std::isfinite(x))
      show::raise_value_error("math domain error");
    return in_domain(result, x);
  }

  DAYFLY_FUNCTION(acos, in_domain(std::acos(x), x))
  DAYFLY_FUNCTION(acosh, in_domain(std::acosh(x), x))
  DAYFLY_FUNCTION(asin, in_domain(std::asin(x), x))
  DAYFLY_FUNCTION(asinh, std::asinh(x))
  DAYFLY_FUNCTION(atan, std::atan(x))
  DAYFLY_FUNCTION(atanh, without_pole(std::atanh(x), x))
  DAYFLY_FUNCTION(cos, in_domain(std::cos(x), x))
  DAYFLY_FUNCTION(cosh, in_range(std::cosh(x), x))
  DAYFLY_FUNCTION(degrees, x * (180.0 / M_PI))
  DAYFLY_FUNCTION(erf, std::erf(x))
  DAYFLY_FUNCTION(erfc, std::erfc(x))
  DAYFLY_FUNCTION(exp, in_range(std::exp(x), x))
  DAYFLY_FUNCTION(expm1, in_range(std::expm1(x), x))
  DAYFLY_FUNCTION(fabs, std::fabs(x))
  DAYFLY_FUNCTION(isfinite, std::isfinite(x))
  DAYFLY_FUNCTION(isinf, std::isinf(x))
  DAYFLY_FUNCTION(isnan, std::isnan(x))
  DAYFLY_FUNCTION(log10, without_pole(std::log10(x), x))
  DAYFLY_FUNCTION(log1p, without_pole(std::log1p(x), x))
  DAYFLY_FUNCTION(log2, without_pole(std::log2(x), x))
  DAYFLY_FUNCTION(radians, x * (M_PI / 180.0))
  DAYFLY_FUNCTION(sin, in_domain(std::sin(x), x))
  DAYFLY_FUNCTION(sinh, in_range(std::sinh(x), x))
  DAYFLY_FUNCTION(sqrt, in_domain(std::sqrt(x), x))
  DAYFLY_FUNCTION(tan, in_domain(std::tan(x), x))
  DAYFLY_FUNCTION(tanh, std::tanh(x))

  // A pole at each integer up to zero, else too large.
  inline double gamma_checked(double result, double x)
  {
    return x <= 0 && x == std::floor(x) ? without_pole(HUGE_VAL, x) : in_range(result, x);
  }
  DAYFLY_FUNCTION(gamma, gamma_checked(std::tgamma(x), x))
  DAYFLY_FUNCTION(lgamma, gamma_checked(std::lgamma(x), x))

#define DAYFLY_ROUNDING(name)                                        \
  template <class T>                                                 \
  int64_t name(T const &x)                                           \
  {                                                                  \
    if constexpr (show::integral<T>)                                 \
      return x;                                                      \
    else                                                             \
      return show::checked_int(std::name(static_cast<double>(x)));   \
  }                                                                  \
  DAYFLY_FUNCTOR(name);
  DAYFLY_ROUNDING(ceil)
  DAYFLY_ROUNDING(floor)
  DAYFLY_ROUNDING(trunc)
#undef DAYFLY_ROUNDING

  inline double log(double x)
  {
    return without_pole(std::log(x), x);
  }
  inline double log(double x, double base)
  {
    return show::true_div(log(x), log(base));
  }
  DAYFLY_FUNCTOR(log);

  inline double atan2(double x, double y)
  {
    return std::atan2(x, y);
  }
  DAYFLY_FUNCTOR(atan2);

  inline double copysign(double x, double y)
  {
    return std::copysign(x, y);
  }
  DAYFLY_FUNCTOR(copysign);

  inline double fmod(double x, double y)
  {
    return in_domain(std::fmod(x, y), x, y);
  }
  DAYFLY_FUNCTOR(fmod);

  inline double hypot(double x, double y)
  {
    return in_range(std::hypot(x, y), x, y);
  }
  DAYFLY_FUNCTOR(hypot);

  inline double pow(double x, double y)
  {
    if (x == 0 && y < 0 && std::isfinite(y))
      show::raise_value_error("math domain error");
    return in_range(std::pow(x, y), x, y);
  }
  DAYFLY_FUNCTOR(pow);

  inline double ldexp(double x, int64_t exponent)
  {
    int bounded = static_cast<int>(std::min<int64_t>(std::max<int64_t>(exponent, -5000), 5000));
    return in_range(std::ldexp(x, bounded), x);
  }
  DAYFLY_FUNCTOR(ldexp);

  inline std::tuple<double, int64_t> frexp(double x)
  {
    int exponent;
    double fraction = std::frexp(x, &exponent);
    return {fraction, exponent};
  }
  DAYFLY_FUNCTOR(frexp);

  inline std::tuple<double, double> modf(double x)
  {
    double whole;
    double fraction = std::modf(x, &whole);
    return {fraction, whole};
  }
  DAYFLY_FUNCTOR(modf);

  inline int64_t factorial(int64_t n)
  {
    if (n < 0)
      show::raise_value_error("factorial() not defined for negative values");
    int64_t result = 1;
    for (int64_t factor = 2; factor <= n; factor++)
      result = show::checked_mul(result, factor);
    return result;
  }
  DAYFLY_FUNCTOR(factorial);

  inline int64_t gcd(int64_t a, int64_t b)
  {
    return std::gcd(show::checked_abs(a), show::checked_abs(b));
  }
  DAYFLY_FUNCTOR(gcd);

  inline int64_t isqrt(int64_t n)
  {
    if (n < 0)
      show::raise_value_error("isqrt() argument must be nonnegative");
    auto root = static_cast<int64_t>(std::sqrt(static_cast<double>(n)));
    while (root > 3037000499 || root * root > n)
      root--;
    while (root < 3037000499 && (root + 1) * (root + 1) <= n)
      root++;
    return root;
  }
  DAYFLY_FUNCTOR(isqrt);
#undef DAYFLY_FUNCTION
#undef DAYFLY_FUNCTOR
} // namespace math
PYTHONIC_NS_END
