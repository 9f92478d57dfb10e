// Completes in zsh.
#include "command_tree.h"
#include "completion_tables.h"

namespace longbow {

namespace {

constexpr const char* kFunction = R"zsh(
# Completes the names of installed configurations, as -c takes them.
_longbow_configs() {
    local configs=${${commands[$1]:-$1}:A:h}/../share/longbow/configs
    [[ -d $configs ]] && _files -W $configs
}

_longbow() {
    emulate -L zsh
    local command=longbow reply='' word current=${words[CURRENT]} before=${words[CURRENT-1]} offered=''
    for word in ${words[2,CURRENT-1]}; do
        if _longbow_verbs $command && [[ " $reply " == *" $word "* ]]; then command+=" $word"; fi
    done

    if [[ $current == -*=* ]]; then
        compset -P '*='
        if _longbow_values "$command ${current%%=*}" && [[ -n $reply ]]; then compadd -- ${=reply}; else _files; fi
    elif _longbow_values "$command $before"; then
        if [[ $before == (-c|--config) ]]; then
            _files
            _longbow_configs ${words[1]}
        elif [[ -n $reply ]]; then
            compadd -- ${=reply}
        else
            _files
        fi
    elif [[ $current == -* ]]; then
        if _longbow_flags $command; then compadd -- ${=reply}; fi
    elif [[ $current == *=* ]]; then
        if _longbow_takes_settings $command && _longbow_setting_values ${current%%=*}; then
            compset -P '*='
            compadd -- ${=reply}
        else
            compset -P '*='
            _files
        fi
    else
        if _longbow_verbs $command; then compadd -- ${=reply}; fi
        if _longbow_arguments $command; then
            if [[ -n $reply ]]; then compadd -- ${=reply}; else _files; fi
        fi
        if _longbow_takes_settings $command; then
            offered=$_longbow_sections
            if [[ $current == *.* ]]; then offered=$_longbow_keys; fi
            compadd -S '' -- ${=offered}
        fi
    fi
}

# The file is either a function of fpath, which is called, or read by the user's own start file.
if [[ ${funcstack[1]} == _longbow ]]; then
    _longbow "$@"
elif (( ${+functions[compdef]} )); then
    compdef _longbow longbow
fi
)zsh";

}  // namespace

std::string zsh_completions(const std::vector<CommandEntry>& tree, const std::vector<SettingEntry>& settings) {
    return "#compdef longbow\n# Completes longbow in zsh; written by `longbow completions zsh`.\n" +
           completion_tables(tree, settings) + kFunction;
}

}  // namespace longbow
