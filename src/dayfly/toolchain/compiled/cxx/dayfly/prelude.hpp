// What every program gets before its own code: Pythran's types with their mends, whole and in one order.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

#include <pythonic/core.hpp>

#include "arithmetic.hpp"
#include "faults.hpp"
#include "show.hpp"

#include <pythonic/include/types/dict.hpp>
#include <pythonic/include/types/exceptions.hpp>
#include <pythonic/include/types/list.hpp>
#include <pythonic/include/types/set.hpp>
#include <pythonic/include/types/str.hpp>
#include <pythonic/include/types/tuple.hpp>

#include <pythonic/types/dict.hpp>
#include <pythonic/types/exceptions.hpp>
#include <pythonic/types/list.hpp>
#include <pythonic/types/set.hpp>
#include <pythonic/types/str.hpp>
#include <pythonic/types/tuple.hpp>

#include "raise.hpp"

#include <pythonic/builtins/format.hpp>
#include <pythonic/builtins/pow.hpp>
#include <pythonic/builtins/print.hpp>
#include <pythonic/builtins/repr.hpp>
#include <pythonic/builtins/str.hpp>

#include "augmented.hpp"
#include "spelling.hpp"
#include "str_methods.hpp"

#include "errors.hpp"
#include "log.h"
#include "request.hpp"
