// What liblongbow_nccl.so offers to nccl_group.cpp.
#pragma once

#include "../groups.h"

namespace longbow {

using MakeNcclGroup = c10::intrusive_ptr<c10d::Backend> (*)(const GroupRequest& request);
constexpr const char* kMakeNcclGroup = "longbow_make_nccl_group";

}  // namespace longbow
