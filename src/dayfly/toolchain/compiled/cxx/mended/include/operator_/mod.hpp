#ifndef PYTHONIC_INCLUDE_OPERATOR_MOD_HPP
#define PYTHONIC_INCLUDE_OPERATOR_MOD_HPP

#include "dayfly/arithmetic.hpp"
#include "pythonic/include/utils/functor.hpp"

PYTHONIC_NS_BEGIN

namespace operator_
{
  template <class A, class B>
    requires(show::integral<A> && show::integral<B>)
  long mod(A const &a, B const &b)
  {
    return show::floor_mod(static_cast<long>(a), static_cast<long>(b));
  }

  template <class A, class B>
    requires show::floats<A, B>
  double mod(A const &a, B const &b)
  {
    return show::floor_mod(static_cast<double>(a), static_cast<double>(b));
  }

  template <class A, class B>
    requires show::textual<A>
  types::str mod(A const &format, B const &values);

  template <class A, class B>
    requires((!show::scalar<A> || !show::scalar<B>) && !show::textual<A>)
  auto mod(A &&a, B &&b) -> decltype(std::forward<A>(a) % std::forward<B>(b))
  {
    return std::forward<A>(a) % std::forward<B>(b);
  }

  DEFINE_FUNCTOR(pythonic::operator_, mod);
} // namespace operator_
PYTHONIC_NS_END

#endif
