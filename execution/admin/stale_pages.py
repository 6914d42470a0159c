"""A page that was opened before somebody else saved: what they changed stays, and what both
changed is looked at again before anything is saved."""

from typing import Any, TypeVar

from django import forms
from django.db import models
from typing_extensions import override

M = TypeVar("M", bound=models.Model)
CHANGED = "was changed by somebody else since this page was opened: open it again"


class FreshForm(forms.ModelForm[M]):
    """Carries what was shown beside what is typed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = not field.disabled

    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in self._changed_meanwhile():
            if name in self.changed_data:
                self.add_error(name, CHANGED)
            else:
                cleaned[name] = self.initial[name]
        return cleaned

    def _changed_meanwhile(self) -> list[str]:
        """The fields of which the row says something else than the page did."""
        return [
            name
            for name, field in self.fields.items()
            if name in self.initial
            and (shown := self._shown(name)) is not None
            and field.has_changed(self.get_initial_for_field(field, name), shown)
        ]

    def _shown(self, name: str) -> Any:
        """As it was sent along; None for what was not."""
        hidden = self.fields[name].hidden_widget()
        key = self.add_initial_prefix(name)
        if hidden.value_omitted_from_data(self.data, self.files, key):
            return None
        return hidden.value_from_datadict(self.data, self.files, key)
