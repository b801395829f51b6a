// str() and repr() of every type that Pythran knows, as Python writes them. Included by the types themselves, so it only
// names them.
#pragma once
#include <complex>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "text.h"

PYTHONIC_NS_BEGIN
namespace types
{
  struct none_type;
  class str;
  struct chr;
  template <class S>
  class sliced_str;
  template <class T>
  class list;
  template <class T, class S>
  class sliced_list;
  template <class T>
  class set;
  template <class K, class V>
  class dict;
  template <class T, size_t N, class V>
  struct array_base;
  struct tuple_version;
  template <class T>
  struct dynamic_tuple;
  struct empty_list;
  struct empty_dict;
  struct empty_set;
  template <class T, bool F>
  struct none;
  template <class D>
  struct dict_items;
  template <class D>
  struct dict_keys;
  template <class D>
  struct dict_values;
  class BaseException;
} // namespace types

namespace show
{
  enum class form { str, repr };

  template <class T, class = void>
  struct writer;

  template <class T>
  using plain = std::remove_cv_t<std::remove_reference_t<T>>;

  template <class T>
  void append(std::string &out, T const &value, form how)
  {
    writer<plain<T>>::append(out, value, how);
  }

  template <class T>
  void append_str(std::string &out, T const &value)
  {
    append(out, value, form::str);
  }

  template <class T>
  void append_repr(std::string &out, T const &value)
  {
    append(out, value, form::repr);
  }

  template <class Range>
  void append_items(std::string &out, Range const &range)
  {
    bool first = true;
    for (auto &&item : range) {
      if (!first)
        out += ", ";
      first = false;
      append_repr(out, item);
    }
  }

  template <class Range>
  void append_between(std::string &out, char const *open, Range const &range, char const *close)
  {
    out += open;
    append_items(out, range);
    out += close;
  }

  // -- scalars

  template <>
  struct writer<bool> {
    static constexpr char const *name = "bool";
    static void append(std::string &out, bool value, form)
    {
      out += value ? "True" : "False";
    }
  };

  template <class T>
  struct writer<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
    static constexpr char const *name = "int";
    static void append(std::string &out, T value, form)
    {
      ::dayfly::append_int(out, static_cast<int64_t>(value));
    }
  };

  template <class T, T N>
  struct writer<std::integral_constant<T, N>> : writer<T> {
  };

  template <class T>
  struct writer<T, std::enable_if_t<std::is_floating_point_v<T>>> {
    static constexpr char const *name = "float";
    static void append(std::string &out, T value, form)
    {
      ::dayfly::append_float(out, static_cast<double>(value));
    }
  };

  template <class T>
  struct writer<std::complex<T>> {
    static constexpr char const *name = "complex";
    // Without the `.0` that a float has; a zero real part is left out.
    static void part(std::string &out, T value, bool with_sign)
    {
      size_t start = out.size();
      ::dayfly::append_float(out, static_cast<double>(value));
      if (with_sign && out[start] != '-')
        out.insert(start, "+");
      if (out.ends_with(".0"))
        out.resize(out.size() - 2);
    }
    static void append(std::string &out, std::complex<T> const &value, form)
    {
      bool imaginary = value.real() == 0 && !std::signbit(value.real());
      if (!imaginary) {
        out += '(';
        part(out, value.real(), false);
      }
      part(out, value.imag(), !imaginary);
      out += imaginary ? "j" : "j)";
    }
  };

  template <>
  struct writer<types::none_type> {
    static constexpr char const *name = "NoneType";
    static void append(std::string &out, types::none_type const &, form)
    {
      out += "None";
    }
  };

  template <class T>
  struct writer<types::none<T, false>> : writer<T> {
    template <class N>
    static void append(std::string &out, N const &value, form how)
    {
      if (value.is_none)
        out += "None";
      else
        show::append(out, static_cast<T const &>(value), how);
    }
  };

  template <class T>
  struct writer<types::none<T, true>> : writer<T> {
    template <class N>
    static void append(std::string &out, N const &value, form how)
    {
      if (value.is_none)
        out += "None";
      else
        show::append(out, value.data, how);
    }
  };

  // -- texts

  inline void append_text(std::string &out, std::string_view value, form how)
  {
    if (how == form::str)
      out += value;
    else
      ::dayfly::append_quoted(out, value);
  }

  template <>
  struct writer<types::str> {
    static constexpr char const *name = "str";
    template <class S>
    static void append(std::string &out, S const &value, form how)
    {
      append_text(out, value.chars(), how);
    }
  };

  template <>
  struct writer<types::chr> {
    static constexpr char const *name = "str";
    template <class S>
    static void append(std::string &out, S const &value, form how)
    {
      append_text(out, {&value.c, 1}, how);
    }
  };

  template <class S>
  struct writer<types::sliced_str<S>> {
    static constexpr char const *name = "str";
    template <class T>
    static void append(std::string &out, T const &value, form how)
    {
      append_text(out, types::str(value).chars(), how);
    }
  };

  template <>
  struct writer<char const *> {
    static constexpr char const *name = "str";
    static void append(std::string &out, char const *value, form how)
    {
      append_text(out, value, how);
    }
  };

  template <size_t N>
  struct writer<char[N]> : writer<char const *> {
  };

  // -- containers

  template <class T>
  struct writer<types::list<T>> {
    static constexpr char const *name = "list";
    template <class L>
    static void append(std::string &out, L const &value, form)
    {
      append_between(out, "[", value, "]");
    }
  };

  template <class T, class S>
  struct writer<types::sliced_list<T, S>> : writer<types::list<T>> {
  };

  template <>
  struct writer<types::empty_list> {
    static constexpr char const *name = "list";
    static void append(std::string &out, types::empty_list const &, form)
    {
      out += "[]";
    }
  };

  template <class T, size_t N, class V>
  struct writer<types::array_base<T, N, V>> {
    static constexpr bool is_tuple = std::is_same_v<V, types::tuple_version>;
    static constexpr char const *name = is_tuple ? "tuple" : "list";
    template <class A>
    static void append(std::string &out, A const &value, form)
    {
      append_between(out, is_tuple ? "(" : "[", value, is_tuple ? (N == 1 ? ",)" : ")") : "]");
    }
  };

  template <class... Ts>
  struct writer<std::tuple<Ts...>> {
    static constexpr char const *name = "tuple";
    static void append(std::string &out, std::tuple<Ts...> const &value, form)
    {
      out += '(';
      std::apply(
          [&](auto const &...items) {
            size_t index = 0;
            ((out += index++ ? ", " : "", append_repr(out, items)), ...);
          },
          value);
      out += sizeof...(Ts) == 1 ? ",)" : ")";
    }
  };

  template <class T>
  struct writer<types::dynamic_tuple<T>> {
    static constexpr char const *name = "tuple";
    template <class A>
    static void append(std::string &out, A const &value, form)
    {
      append_between(out, "(", value, value.size() == 1 ? ",)" : ")");
    }
  };

  template <class T>
  struct writer<types::set<T>> {
    static constexpr char const *name = "set";
    template <class S>
    static void append(std::string &out, S const &value, form)
    {
      if (value.size() == 0)
        out += "set()";
      else
        append_between(out, "{", value, "}");
    }
  };

  template <>
  struct writer<types::empty_set> {
    static constexpr char const *name = "set";
    static void append(std::string &out, types::empty_set const &, form)
    {
      out += "set()";
    }
  };

  template <class K, class V>
  struct writer<types::dict<K, V>> {
    static constexpr char const *name = "dict";
    template <class D>
    static void append(std::string &out, D const &value, form)
    {
      out += '{';
      bool first = true;
      for (auto &&item : value.items()) {
        if (!first)
          out += ", ";
        first = false;
        append_repr(out, std::get<0>(item));
        out += ": ";
        append_repr(out, std::get<1>(item));
      }
      out += '}';
    }
  };

  template <>
  struct writer<types::empty_dict> {
    static constexpr char const *name = "dict";
    static void append(std::string &out, types::empty_dict const &, form)
    {
      out += "{}";
    }
  };

  template <class D>
  struct writer<types::dict_items<D>> {
    static constexpr char const *name = "dict_items";
    template <class T>
    static void append(std::string &out, T const &value, form)
    {
      append_between(out, "dict_items([", value, "])");
    }
  };

  template <class D>
  struct writer<types::dict_keys<D>> {
    static constexpr char const *name = "dict_keys";
    template <class T>
    static void append(std::string &out, T const &value, form)
    {
      append_between(out, "dict_keys([", value, "])");
    }
  };

  template <class D>
  struct writer<types::dict_values<D>> {
    static constexpr char const *name = "dict_values";
    template <class T>
    static void append(std::string &out, T const &value, form)
    {
      append_between(out, "dict_values([", value, "])");
    }
  };

  // -- exceptions

  template <class T>
  struct writer<T, std::enable_if_t<std::is_base_of_v<types::BaseException, T>>> {
    static constexpr char const *name = "Exception";
    static void append(std::string &out, T const &value, form)
    {
      if (value.args.size() == 1)
        out += value.args[0].chars();
      else if (value.args.size() > 1)
        append_repr(out, value.args);
    }
  };

  // -- numpy's arrays and expressions

  template <class T>
  concept array = requires {
    typename T::dtype;
    T::value;
  };

  template <class E, class A>
  void flatten(A const &array, std::vector<E> &out)
  {
    if constexpr (std::is_convertible_v<A const &, E>)
      out.push_back(array);
    else
      for (auto &&part : array)
        flatten(part, out);
  }

  template <class A>
  void take_shape(A const &array, std::vector<size_t> &out)
  {
    if constexpr (requires { array.size(); }) {
      out.push_back(static_cast<size_t>(array.size()));
      for (auto &&part : array) {
        take_shape(part, out);
        break;
      }
    }
  }

  // An element as one of the three kinds that are laid out; complex numbers are not.
  template <class T>
  using element_of = std::conditional_t<std::is_same_v<T, bool>, bool,
                                        std::conditional_t<std::is_integral_v<T>, int64_t, double>>;

  template <class T, class>
  struct writer {
    static constexpr char const *name = "object";
    static void append(std::string &out, T const &value, form)
    {
      static_assert(array<T>, "dayfly: this has no text");
      using element = element_of<typename T::dtype>;
      std::vector<element> elements;
      std::vector<size_t> shape;
      flatten<element>(value, elements);
      take_shape(value, shape);
      ::dayfly::append_array(out, ::dayfly::array_texts(elements), shape);
    }
  };

  // A value for the formatting functions, which know no templates. Lives no longer than the value.
  template <class T>
  ::dayfly::argument argument_of(T const &value)
  {
    using kind = ::dayfly::argument;
    using W = writer<plain<T>>;
    kind result{kind::other, 0, 0, &value,
                [](std::string &out, void const *object) { append_str(out, *static_cast<T const *>(object)); },
                [](std::string &out, void const *object) { append_repr(out, *static_cast<T const *>(object)); },
                W::name};
    std::string_view name = W::name;
    if constexpr (std::is_same_v<plain<T>, bool>) {
      result.kind = kind::boolean;
      result.int_value = value;
    } else if constexpr (std::is_integral_v<plain<T>> || requires { typename plain<T>::value_type; T::value; }) {
      if constexpr (std::is_convertible_v<T const &, int64_t>) {
        result.kind = kind::integer;
        result.int_value = static_cast<int64_t>(value);
      }
    } else if constexpr (std::is_floating_point_v<plain<T>>) {
      result.kind = kind::real;
      result.float_value = static_cast<double>(value);
    } else if (name == "str") {
      result.kind = kind::text;
    }
    return result;
  }
} // namespace show
PYTHONIC_NS_END
