// Numbers and texts as Python writes and reads them. No template, no Pythran: compiled once into the runtime.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dayfly
{
  // An exception to be thrown by whoever knows Pythran's classes.
  enum class fault { none, value_error, type_error, overflow_error };
  struct problem {
    fault kind = fault::none;
    std::string message;
    explicit operator bool() const
    {
      return kind != fault::none;
    }
  };

  void append_int(std::string &out, int64_t value);
  void append_float(std::string &out, double value); // repr: the shortest digits that read back as the same number
  void append_quoted(std::string &out, std::string_view value); // repr

  problem parse_int(std::string_view text, int64_t base, int64_t &value);
  problem parse_float(std::string_view text, double &value);

  // A value whose type is known no more: what formatting needs of it.
  struct argument {
    enum kind_t { integer, boolean, real, text, other } kind;
    int64_t int_value;
    double float_value;
    const void *object;
    void (*append_str)(std::string &out, const void *object);
    void (*append_repr)(std::string &out, const void *object);
    const char *type_name;
  };

  problem format_value(std::string &out, argument const &value, std::string_view spec);
  problem format_percent(std::string &out, std::string_view format, argument const *values, size_t count);

  // str of a numpy array: its elements at one width, and the brackets of its shape around them.
  std::vector<std::string> array_texts(std::vector<double> const &values);
  std::vector<std::string> array_texts(std::vector<int64_t> const &values);
  std::vector<std::string> array_texts(std::vector<bool> const &values);
  void append_array(std::string &out, std::vector<std::string> const &texts, std::vector<size_t> const &shape);

  // round(value, digits): the decimal that is nearest to the exact value, as CPython does it.
  double round_to(double value, int64_t digits);
} // namespace dayfly
