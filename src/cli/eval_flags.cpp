#include "eval_flags.h"

#include <string>

#include "longbow/attention/attention_backend.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "whole_number.h"

namespace longbow {

void add_text_flags(CLI::App* verb, TextSource& source) {
    verb->add_option("--data", source.store, "Token store (longbow prepare)")->type_name("STORE");
    verb->add_option("--text", source.files, "Text file, encoded with the checkpoint's tokenizer; may be repeated")
        ->type_name("FILE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
    verb->add_option("--ids", source.ids,
                     "Token ids, scored as they are: a NumPy array of integers; whoever made it had a tokenizer")
        ->type_name("FILE.npy");
    verb->add_option("--split", source.split, "Split of the store")->capture_default_str()->type_name("NAME");
}

void check_one_text(const TextSource& source, const std::string& verb) {
    if (int{!source.store.empty()} + int{!source.files.empty()} + int{!source.ids.empty()} != 1)
        throw UsageError(verb + " needs one of --data STORE, --text FILE and --ids FILE.npy");
}

void add_window_flags(CLI::App* verb, EvalRequest& request) {
    verb->add_option("--stride", request.stride,
                     "Targets a window, with up to length - stride tokens of context; default: the protocol's")
        ->check(whole_number())
        ->type_name("S");
    verb->add_option("--protocol", request.protocol, join(protocol_names(), " | ") + " (docs/evaluation.md)")
        ->capture_default_str()
        ->type_name("NAME");
    verb->add_flag("--within-documents", request.within_documents, "Windows start again at each document");
    verb->add_option("--max-stream-tokens", request.max_stream_tokens, "Only the first N tokens of the split")
        ->check(whole_number())
        ->type_name("N");
    const auto names = choice_names<Bos>();
    verb->add_option_function<std::string>(
            "--bos", [&request](const std::string& name) { request.bos = choice_named<Bos>(name); },
            join(names, " | ") +
                ": where a BOS stands; default: as the model's family has it (protocol yarn: each-window)")
        ->check(CLI::IsMember(names))
        ->type_name("RULE");
    verb->add_flag("--truncate", request.truncate, "One window a document, of its beginning (protocol yarn)");
    verb->add_option("--min-document-tokens", request.min_document_tokens,
                     "Leave out documents with fewer tokens (protocol yarn)")
        ->check(whole_number())
        ->type_name("N");
}

void add_model_flags(CLI::App* verb, ModelChoice& choice, EvalRequest& request) {
    verb->add_option("--max-tokens", request.max_batch_tokens, "Input tokens a forward pass")
        ->capture_default_str()
        ->check(whole_number())
        ->type_name("N");
    verb->add_option("--dtype", choice.dtype,
                     join(choice_names<DType>(), " | ") + "; default: fp32 (fp64 for a checkpoint trained so)")
        ->check(CLI::IsMember(choice_names<DType>()))
        ->type_name("DTYPE");
    auto backends = attention_backend_names();
    backends.emplace_back("auto");
    verb->add_option("--attention", choice.attention,
                     join(backends, " | ") + "; default: as the checkpoint's configuration says")
        ->check(CLI::IsMember(backends))
        ->type_name("BACKEND");
}

}  // namespace longbow
