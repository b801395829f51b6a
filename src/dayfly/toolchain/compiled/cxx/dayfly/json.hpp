// json.dumps(value, ensure_ascii=False, separators=(",", ":")) of the types that Pythran knows.
#pragma once
#include "arithmetic.hpp"
#include "show.hpp"

PYTHONIC_NS_BEGIN
namespace show
{
  // What an optional value holds.
  template <class T>
  T const &value_of(types::none<T, false> const &value)
  {
    return value;
  }
  template <class T>
  T const &value_of(types::none<T, true> const &value)
  {
    return value.data;
  }

  inline void append_json_text(std::string &out, std::string_view text)
  {
    constexpr char digits[] = "0123456789abcdef";
    out += '"';
    for (char c : text) {
      auto octet = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\')
        out.append("\\").append(1, c);
      else if (c == '\n')
        out += "\\n";
      else if (c == '\r')
        out += "\\r";
      else if (c == '\t')
        out += "\\t";
      else if (c == '\b')
        out += "\\b";
      else if (c == '\f')
        out += "\\f";
      else if (octet < 0x20)
        out.append("\\u00").append(1, digits[octet >> 4]).append(1, digits[octet & 15]);
      else
        out += c;
    }
    out += '"';
  }

  template <class T>
  void append_json(std::string &out, T const &value);

  template <class T>
  void append_json_number(std::string &out, T value)
  {
    if constexpr (std::is_same_v<T, bool>)
      out += value ? "true" : "false";
    else if constexpr (std::is_integral_v<T>)
      ::dayfly::append_int(out, value);
    else if (std::isfinite(value))
      ::dayfly::append_float(out, value);
    else
      out += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
  }

  template <class Range>
  void append_json_array(std::string &out, Range const &range)
  {
    out += '[';
    bool first = true;
    for (auto &&item : range) {
      if (!first)
        out += ',';
      first = false;
      append_json(out, item);
    }
    out += ']';
  }

  template <class Dict>
  void append_json_object(std::string &out, Dict const &dict)
  {
    out += '{';
    bool first = true;
    for (auto &&item : dict.items()) {
      if (!first)
        out += ',';
      first = false;
      std::string key;
      append_str(key, std::get<0>(item));
      append_json_text(out, key);
      out += ':';
      append_json(out, std::get<1>(item));
    }
    out += '}';
  }

  template <class T>
  void append_json(std::string &out, T const &value)
  {
    if constexpr (std::is_same_v<T, types::none_type>) {
      out += "null";
    } else if constexpr (requires { value.is_none; }) {
      if (value.is_none)
        out += "null";
      else
        append_json(out, value_of(value));
    } else if constexpr (scalar<T>) {
      append_json_number<number_t<T>>(out, value);
    } else if constexpr (textual<T>) {
      append_json_text(out, types::str(value).chars());
    } else if constexpr (requires { value.items(); }) {
      append_json_object(out, value);
    } else if constexpr (requires { value.begin(); }) {
      append_json_array(out, value);
    } else if constexpr (requires { std::tuple_size<T>::value; }) {
      out += '[';
      std::apply([&out](auto const &...items) {
        size_t index = 0;
        ((out += index++ ? "," : "", append_json(out, items)), ...);
      }, value);
      out += ']';
    } else {
      static_assert(never<T>, "dayfly: this cannot become JSON");
    }
  }
} // namespace show
PYTHONIC_NS_END
