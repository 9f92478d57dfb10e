#include "version.h"

namespace longbow {

std::string version_text() { return "longbow " LONGBOW_VERSION; }

}  // namespace longbow
