#ifndef PYTHONIC_INCLUDE_BUILTIN_POW_HPP
#define PYTHONIC_INCLUDE_BUILTIN_POW_HPP

#include "dayfly/arithmetic.hpp"
#include "pythonic/include/numpy/power.hpp"
#include "pythonic/include/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace builtins
{
  template <class A, class B>
    requires show::ints<A, B>
  long pow(A const &base, B const &exponent)
  {
    return show::checked_pow(static_cast<long>(base), static_cast<long>(exponent));
  }

  template <class A, class B>
    requires show::floats<A, B>
  double pow(A const &base, B const &exponent)
  {
    return show::checked_pow(static_cast<double>(base), static_cast<double>(exponent));
  }

  template <class A, class B, class M>
    requires(show::ints<A, B> && show::integral<M>)
  long pow(A const &base, B const &exponent, M const &modulus)
  {
    return show::modular_pow(base, exponent, modulus);
  }

  template <class A, class B>
    requires(!show::ints<A, B> && !show::floats<A, B>)
  auto pow(A &&base, B &&exponent)
      -> decltype(numpy::functor::power{}(std::forward<A>(base), std::forward<B>(exponent)));

  DEFINE_FUNCTOR(pythonic::builtins, pow);
} // namespace builtins
PYTHONIC_NS_END

#endif
