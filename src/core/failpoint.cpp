#include "longbow/core/failpoint.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include <unistd.h>

namespace longbow {

namespace {

struct Armed {
    std::string name;
    std::atomic<long> left{0};
    enum class Action { kill, hang, spoil } action = Action::kill;
    Armed() {
        const char* text = std::getenv("LONGBOW_FAILPOINT");
        if (text == nullptr) return;
        name = text;
        left = 1;
        if (const auto equals = name.rfind('='); equals != std::string::npos) {
            action = name.substr(equals + 1) == "hang" ? Action::hang : name.substr(equals + 1) == "spoil" ? Action::spoil : Action::kill;
            name.resize(equals);
        }
        if (const auto at = name.rfind('@'); at != std::string::npos) {
            const char* rank = std::getenv("RANK");
            if (name.substr(at + 1) != (rank == nullptr ? "0" : rank)) left = -1;
            name.resize(at);
        }
        if (left < 0) {
            name.clear();
            return;
        }
        if (const auto colon = name.rfind(':'); colon != std::string::npos) {
            left = std::strtol(name.c_str() + colon + 1, nullptr, 10);
            name.resize(colon);
        }
    }
};

Armed& armed() {
    static Armed instance;
    return instance;
}

}  // namespace

bool failpoint(const char* name) {
    Armed& point = armed();
    if (point.name.empty() || point.name != name) return false;
    if (point.left.fetch_sub(1) != 1) return false;
    if (point.action == Armed::Action::spoil) return true;
    while (point.action == Armed::Action::hang) ::pause();
    std::raise(SIGKILL);
    return false;
}

}  // namespace longbow
