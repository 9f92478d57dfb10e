// Returns the message of an error, for tests that check what it says.
#pragma once

#include <string>

#include "longbow/core/error.h"

namespace longbow::test {

// Returns "no error" if `action` throws none. An error of another type than Expected is passed on.
template <class Expected = Error, class Action>
std::string error_of(Action action) {
    try {
        action();
    } catch (const Expected& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace longbow::test
