// `x += y` and its kin, and subscripts, as the generated code spells them.
#pragma once
#include "abi.h"
#include "arithmetic.hpp"

#include <pythonic/operator_/add.hpp>
#include <pythonic/operator_/div.hpp>
#include <pythonic/operator_/floordiv.hpp>
#include <pythonic/operator_/lshift.hpp>
#include <pythonic/operator_/mod.hpp>
#include <pythonic/operator_/mul.hpp>
#include <pythonic/operator_/rshift.hpp>
#include <pythonic/operator_/sub.hpp>

PYTHONIC_NS_BEGIN
namespace show
{
  // A constant text: the snapshot's, so that using it neither copies nor counts.
  inline types::str shared(types::str const &constant)
  {
    return constant;
  }

  inline types::str text_of(dayfly_text const &text)
  {
    return types::str(text.data, text.size);
  }

  // Containers of constants, which are tables of plain data: as expressions they would take the compiler minutes.
  template <class List, class Item>
  List listed(size_t size, Item item)
  {
    List out(0);
    out.reserve(size);
    for (size_t i = 0; i < size; i++)
      out.push_back(static_cast<typename List::value_type>(item(i)));
    return out;
  }

  template <class Dict, class Key, class Value>
  Dict dicted(size_t size, Key key, Value value)
  {
    Dict out = types::empty_dict();
    for (size_t i = 0; i < size; i++)
      out[key(i)] = value(i);
    return out;
  }

  // Numbers go through the checked operators; everything else has its own in-place operator.
#define DAYFLY_ASSIGN(name, operation, symbol)                             \
  template <class A, class B>                                              \
  void name(A &&a, B const &b)                                             \
  {                                                                        \
    if constexpr (scalar<A> && scalar<B>)                                  \
      a = static_cast<std::remove_reference_t<A>>(operator_::operation(a, b)); \
    else                                                                   \
      a symbol b;                                                          \
  }
  DAYFLY_ASSIGN(assign_add, add, +=)
  DAYFLY_ASSIGN(assign_sub, sub, -=)
  DAYFLY_ASSIGN(assign_mul, mul, *=)
  DAYFLY_ASSIGN(assign_div, div, /=)
  DAYFLY_ASSIGN(assign_lshift, lshift, <<=)
  DAYFLY_ASSIGN(assign_rshift, rshift, >>=)
#undef DAYFLY_ASSIGN

#define DAYFLY_ASSIGN(name, expression)                               \
  template <class A, class B>                                         \
  void name(A &&a, B const &b)                                        \
  {                                                                   \
    a = static_cast<std::remove_reference_t<A>>(expression);          \
  }
  DAYFLY_ASSIGN(assign_mod, operator_::mod(a, b))
  DAYFLY_ASSIGN(assign_floordiv, operator_::floordiv(a, b))
  DAYFLY_ASSIGN(assign_pow, builtins::pow(a, b))
#undef DAYFLY_ASSIGN

  // An item that must be there: a dict makes a missing one when it is subscripted for a store.
  template <class C, class K>
  decltype(auto) existing(C &&container, K const &key)
  {
    if constexpr (requires { container.keys(); })
      return types::as_const(container)[key];
    else
      return container[key];
  }

  // The same with a constant index, which is all that a tuple of different types has.
  template <size_t N, class C>
  decltype(auto) existing_at(C &&container)
  {
    if constexpr (requires { container.keys(); })
      return types::as_const(container)[static_cast<long long>(N)];
    else
      return std::get<N>(container);
  }
} // namespace show
PYTHONIC_NS_END
