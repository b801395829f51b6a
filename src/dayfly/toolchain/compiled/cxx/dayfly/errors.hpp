// Exceptions that leave the program, as Python would print their last line.
#pragma once
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <typeinfo>

#include <pythonic/types/exceptions.hpp>

namespace dayfly
{
  // `ValueError` out of the mangled name of pythonic::types::ValueError: the last length-prefixed part.
  inline std::string class_name(std::type_info const &type)
  {
    std::string name;
    for (const char *at = type.name(); *at;) {
      if (*at < '0' || *at > '9') {
        ++at;
        continue;
      }
      char *end;
      size_t size = strtoul(at, &end, 10);
      name.assign(end, size);
      at = end + size;
    }
    return name;
  }

  inline std::string quoted(std::string const &value)
  {
    return "'" + value + "'";
  }

  inline std::string message(pythonic::types::BaseException const &error)
  {
    auto const &args = error.args;
    if (args.size() == 0)
      return {};
    if (args.size() == 1)
      return args[0].chars();
    std::string out = "(";
    for (long index = 0; index < args.size(); index++)
      out += (index ? ", " : "") + quoted(args[index].chars());
    return out + ")";
  }

  inline std::string described(std::string name, std::string const &text)
  {
    return text.empty() ? name : name + ": " + text;
  }

  // To be called in a catch block.
  inline std::string describe_current_exception()
  {
    try {
      throw;
    } catch (pythonic::types::BaseException const &error) {
      return described(class_name(typeid(error)), message(error));
    } catch (std::bad_alloc const &) {
      return "MemoryError";
    } catch (std::length_error const &) {
      return "MemoryError";
    } catch (std::out_of_range const &) {
      return "IndexError";
    } catch (std::exception const &error) {
      return described("RuntimeError", error.what());
    } catch (...) {
      return "RuntimeError";
    }
  }
} // namespace dayfly
