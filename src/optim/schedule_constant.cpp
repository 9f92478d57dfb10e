// Implements the constant schedule: the learning rate stays at the peak after the warm-up.
#include "longbow/optim/schedule.h"

namespace longbow {

LONGBOW_REGISTER_SCHEDULE({.name = "constant", .help = "The peak", .lr = [](const SchedulePoint& point) {
                               return point.peak_lr;
                           }});

}  // namespace longbow
