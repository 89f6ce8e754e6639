"""What a server of wandb answers about projects and views, besides what runs need."""

from __future__ import annotations

from typing import Any

from tests.wandb_server import ENTITY, WandbServer


class Views:
    """The projects and views of a server, kept by their ID.

    Args:
        server: whose answers they become.
    """

    def __init__(self, server: WandbServer) -> None:
        self.projects: list[str] = []
        self.kept: dict[str, dict[str, Any]] = {}
        server.answers |= {
            "GetDefaultEntity": lambda given: {"data": {"viewer": {"id": "1", "entity": ENTITY}}},
            "GetProjects": self._projects,
            "CreateProject": self._create,
            "UpsertView2": self._upsert,
            "upsertView": self._upsert,
        }

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Those of a type: `project-view` or `runs`, which are workspaces and reports."""
        return [view for view in self.kept.values() if view["type"] == kind]

    def _projects(self, given: dict[str, Any]) -> dict[str, Any]:
        about = {"__typename": "Project", "entityName": ENTITY, "createdAt": "", "isBenchmark": False, "user": None}
        nodes = [{"node": {**about, "id": name, "name": name}} for name in self.projects]
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {"data": {"models": {"pageInfo": page, "edges": nodes}}}

    def _create(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["input"]["name"]
        self.projects.append(name)
        project = {"id": name, "name": name, "entityName": ENTITY, "createdAt": "", "isBenchmark": False}
        return {"data": {"result": {"project": project, "model": project, "inserted": True}}}

    def _upsert(self, given: dict[str, Any]) -> dict[str, Any]:
        known = given.get("id") or f"VmlldzoxMjM{len(self.kept)}"
        inserted = known not in self.kept
        self.kept[known] = {**given, "id": known}
        view = {
            **{key: given.get(key) for key in ("type", "name", "displayName", "description", "spec")}, "id": known,
            "updatedAt": "2026-01-01T00:00:00Z",
            "project": {"id": "1", "name": given["projectName"], "entityName": given["entityName"]},
        }  # fmt: skip
        return {"data": {"upsertView": {"view": view, "inserted": inserted}}}
