"""The embedded driver: llama.cpp in this process.

- A GGUF file is a model's weights with its tokenizer and chat template; `gguf` reads its window.
- The window is how many tokens of prompt and reply the model can hold.
- The relay carries a reply from llama.cpp's thread to the event loop.
- The rehearsal voice is the small model that perdure knows by name.

Open `driver` first; `settings` has llama.cpp's parameters.
"""
