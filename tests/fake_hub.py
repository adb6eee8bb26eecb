"""A small Hugging Face hub on 127.0.0.1: the part of its HTTP API that pushing and loading a model ask for."""

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "hf_of_the_test"


class Hub:
    """Repositories as revision -> file -> bytes; every commit is a revision, too, and `main` and branches name one."""

    def __init__(self):
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.heads: dict[str, dict[str, str]] = {}  # of each repository: branch -> commit
        self.stored: dict[str, bytes] = {}  # what was uploaded by LFS, by its SHA-256
        self.asked: list[str] = []

    def commit(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Add files to a branch; return the commit."""
        heads, commits = self.heads.setdefault(repo, {}), self.repos.setdefault(repo, {})
        parent = heads.get(branch) or heads.get("main")
        whole = {**commits.get(parent, {}), **files}
        commit = hashlib.sha1(f"{parent} {sorted(whole)} {len(commits)}".encode()).hexdigest()
        commits[commit], heads[branch] = whole, commit
        return commit

    async def create(self, request: Request) -> Response:
        """POST /api/repos/create."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"error": "Invalid username or password."}, 401)
        body = await request.json()
        repo = f"{body['organization']}/{body['name']}"
        if repo in self.repos:
            return JSONResponse({"error": "exists", "url": f"{request.base_url}{repo}"}, 409)
        self.commit(repo, {".gitattributes": b""})
        return JSONResponse({"url": f"{request.base_url}{repo}"})

    async def validate(self, request: Request) -> Response:
        """POST /api/validate-yaml: the header of a card."""
        header = yaml.safe_load((await request.json())["content"].split("---\n")[1])
        faults = [] if isinstance(header, dict) and "license" in header else [{"message": "no license"}]
        return JSONResponse({"errors": faults, "warnings": []}, 400 if faults else 200)

    async def preupload(self, request: Request) -> Response:
        """POST /api/models/OWNER/NAME/preupload/REVISION: which files go by LFS."""
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for file in (await request.json())["files"]
        ]
        return JSONResponse({"files": files})

    async def batch(self, request: Request) -> Response:
        """POST /OWNER/NAME.git/info/lfs/objects/batch: where each of them goes."""
        objects = [
            {**item, "actions": {"upload": {"href": f"{request.base_url}lfs/{item['oid']}"}}}
            for item in (await request.json())["objects"]
        ]
        return JSONResponse({"transfer": "basic", "objects": objects})

    async def put(self, request: Request) -> Response:
        """PUT /lfs/OID."""
        self.stored[request.path_params["oid"]] = await request.body()
        return Response()

    async def commit_files(self, request: Request) -> Response:
        """POST /api/models/OWNER/NAME/commit/REVISION."""
        files = {}
        for line in (await request.body()).splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
            if item["key"] == "lfsFile":
                files[item["value"]["path"]] = self.stored[item["value"]["oid"]]
        repo = self._repo(request)
        commit = self.commit(repo, files, request.path_params["revision"])
        return JSONResponse({"commitUrl": f"{request.base_url}{repo}/commit/{commit}", "commitOid": commit})

    async def info(self, request: Request) -> Response:
        """GET /api/models/OWNER/NAME."""
        repo = self._repo(request)
        if repo not in self.repos:
            return self._missing("RepoNotFound")
        head = self.heads[repo]["main"]
        files = [{"rfilename": name} for name in self.repos[repo][head]]
        return JSONResponse({"id": repo, "sha": head, "siblings": files, "tags": [], "private": False})

    async def resolve(self, request: Request) -> Response:
        """HEAD and GET /OWNER/NAME/resolve/REVISION/FILE."""
        self.asked.append(f"{request.method} {request.url.path}")
        repo, revision = self._repo(request), request.path_params["revision"]
        if repo not in self.repos:
            return self._missing("RepoNotFound")
        commit = self.heads[repo].get(revision, revision)
        if commit not in self.repos[repo]:
            return self._missing("RevisionNotFound")
        content = self.repos[repo][commit].get(request.path_params["file"])
        headers = {"X-Repo-Commit": commit}
        if content is None:
            return self._missing("EntryNotFound", headers)
        headers |= {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Content-Length": str(len(content))}
        return Response(content if request.method == "GET" else b"", headers=headers)

    def _repo(self, request: Request) -> str:
        return f"{request.path_params['owner']}/{request.path_params['name']}"

    def _missing(self, code: str, headers: dict[str, str] | None = None) -> Response:
        return JSONResponse({"error": code}, 404, headers={"X-Error-Code": code, **(headers or {})})


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """Serve a hub; give its address."""
    model = "/api/models/{owner}/{name}"
    routes = [
        Route("/api/repos/create", hub.create, methods=["POST"]),
        Route("/api/validate-yaml", hub.validate, methods=["POST"]),
        Route(model, hub.info),
        Route(f"{model}/preupload/{{revision}}", hub.preupload, methods=["POST"]),
        Route(f"{model}/commit/{{revision}}", hub.commit_files, methods=["POST"]),
        Route("/{owner}/{name}.git/info/lfs/objects/batch", hub.batch, methods=["POST"]),
        Route("/lfs/{oid}", hub.put, methods=["PUT"]),
        Route("/{owner}/{name}/resolve/{revision}/{file:path}", hub.resolve),
    ]
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
