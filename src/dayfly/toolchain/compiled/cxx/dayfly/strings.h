// The methods of str on octets: letters and spaces are those of ASCII. Compiled once into the runtime.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dayfly
{
  using texts = std::vector<std::string_view>; // parts of what was given

  enum class side { left = 1, right = 2, both = 3 };

  std::string_view strip(std::string_view text, side where);                          // spaces
  std::string_view strip(std::string_view text, std::string_view octets, side where); // any of these

  texts split_spaces(std::string_view text, int64_t most);
  texts split(std::string_view text, std::string_view separator, int64_t most);
  texts split_spaces_right(std::string_view text, int64_t most);
  texts split_right(std::string_view text, std::string_view separator, int64_t most);
  texts split_lines(std::string_view text, bool keep_ends);

  // Places count from the start; negative bounds count from the end; -1: not there.
  int64_t find(std::string_view text, std::string_view part, int64_t start, int64_t end);
  int64_t find_right(std::string_view text, std::string_view part, int64_t start, int64_t end);
  int64_t count(std::string_view text, std::string_view part, int64_t start, int64_t end);
  bool starts_with(std::string_view text, std::string_view part, int64_t start, int64_t end);
  bool ends_with(std::string_view text, std::string_view part, int64_t start, int64_t end);

  std::string replace(std::string_view text, std::string_view old, std::string_view with, int64_t most);
  std::string lower(std::string_view text);
  std::string upper(std::string_view text);
  std::string capitalize(std::string_view text);
  std::string title(std::string_view text);
  std::string swapcase(std::string_view text);
  std::string justify(std::string_view text, int64_t width, std::string_view fill, side where);
  std::string zfill(std::string_view text, int64_t width);

  bool is_alpha(std::string_view text);
  bool is_digit(std::string_view text);
  bool is_alnum(std::string_view text);
  bool is_space(std::string_view text);
  bool is_lower(std::string_view text);
  bool is_upper(std::string_view text);
} // namespace dayfly
