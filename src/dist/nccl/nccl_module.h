// Declares the interface of liblongbow_nccl.so, which nccl_group.cpp opens at run time.
#pragma once

#include "../groups.h"

namespace longbow {

using MakeNcclGroup = c10::intrusive_ptr<c10d::Backend> (*)(const GroupRequest& request);
constexpr const char* kMakeNcclGroup = "longbow_make_nccl_group";

}  // namespace longbow
