#include "longbow/report/method_style.h"

namespace longbow {

std::string method_title(const std::string& name) {
    if (name == "alibi") return "ALiBi";
    if (name == "sinusoidal") return "Sinusoidal";
    if (name == "rotary") return "Rotary";
    return name == "t5_bias" || name == "t5" ? "T5 bias" : name;
}

}  // namespace longbow
