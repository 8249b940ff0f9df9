"""Operations: work that outlasts its call, kept in the repository, where every daemon sees it and none loses it."""
