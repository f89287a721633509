"""The native engine: graphs become machine code through LLVM, on the CPU, one call a step."""
