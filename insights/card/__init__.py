"""One page on a pair: people, benchmarks, tokens, cases, thoughts, chat, transparency; each number with its rows."""
