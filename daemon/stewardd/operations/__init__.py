"""Operations: work that takes longer than its call, kept in the repository, where every daemon can read it."""
