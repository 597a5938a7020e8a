"""The settings of installed features: a section with the feature's name, such as `ORDERS__NIGHTLY`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import create_model
from pydantic_settings import SettingsError

from partywall.core.feature import Feature, FeatureError
from partywall.core.lazy import LoadError, load_errors
from partywall.settings.base import FromEnvironment, Section
from partywall.settings.names import SEPARATOR, unknown_names


class _FeatureSettings(FromEnvironment):
    @classmethod
    def check_names(cls, names: Iterable[str], variables: Mapping[str, str | None]) -> None:  # noqa: ARG003 - given by position
        [section] = cls.model_fields
        own = (name for name in names if name.upper().startswith(f"{section.upper()}{SEPARATOR}"))
        if lines := list(unknown_names(own, cls)):
            raise SettingsError("\n".join(lines))


def feature_settings(feature: Feature) -> type[FromEnvironment] | None:
    """A model that reads the feature's section, with its defaults, from the environment; None if it has none."""
    if feature.settings is None:
        return None
    section = feature.settings.load()
    try:
        with load_errors():
            return _model(feature.name, section)
    except LoadError as error:
        raise FeatureError(f"the feature {feature.name} has settings without valid defaults: {error}") from error


def _model(name: str, section: type[Section]) -> type[FromEnvironment]:
    optional = not any(field.is_required() for field in section.model_fields.values())
    default = (section, section()) if optional else (section, ...)
    model: type[FromEnvironment] = create_model(  # type: ignore[call-overload]  # the field's name is a value
        section.__name__, __base__=_FeatureSettings, **{name: default}
    )
    return model


def feature_sections(features: Sequence[Feature]) -> dict[type[Section], Section]:
    """The section of every feature that has one; raises what pydantic-settings raises."""
    models = ((feature.name, model) for feature in features if (model := feature_settings(feature)) is not None)
    found: list[Section] = [getattr(model(), name) for name, model in models]
    return {type(section): section for section in found}
