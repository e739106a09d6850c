"""Has IPython ask us at each Tab, by its own interface for that, in every front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.completer import completion_matcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from nomad_magic.nomad.options import Options
    from nomad_magic.notebook.completion import Completion


class CompletionHook:
    """What is registered in a shell; what answers is loaded with the first Tab.

    Args:
        shell: Which.
        options: Returns the settings.
    """

    def __init__(self, shell: InteractiveShell, options: Callable[[], Options]) -> None:
        self._completer = shell.Completer
        completion: Completion | None = None

        def matcher(context: CompletionContext) -> SimpleMatcherResult:
            nonlocal completion
            if completion is None:
                from nomad_magic.notebook.completion import Completion  # noqa: PLC0415 - see above

                completion = Completion(shell, options)
            return completion.complete(context)

        # Before the others: what is not asked takes no time.
        described = completion_matcher(
            priority=1000, identifier="nomad_magic.completion", api_version=2
        )
        self._matcher = described(matcher)

    def install(self) -> None:
        """Have it asked."""
        self._completer.custom_matchers.append(self._matcher)

    def uninstall(self) -> None:
        """Have it asked no more."""
        if self._matcher in self._completer.custom_matchers:
            self._completer.custom_matchers.remove(self._matcher)
