#include "version.h"

#include "longbow/core/build_info.h"

namespace longbow {

std::string version_text() { return build_info_text(); }

}  // namespace longbow
