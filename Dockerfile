# colorgan on a CPU: docker build -t colorgan . && docker run --rm -v "$PWD:/data" colorgan sample old.jpg
#
# On Linux, PyPI's torch brings the CUDA libraries, 6 GB in all, which no CPU uses but which do no harm. PyTorch has an
# index of builds without them: --build-arg TORCH_INDEX=ADDRESS. torch and torchvision come together, from one index, or
# they do not load beside each other.
FROM python:3.11-slim AS torch
ARG TORCH_INDEX=
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision

FROM torch AS wheel
RUN pip install --no-cache-dir build
COPY . /src
RUN python -m build --wheel --outdir /wheel /src

# For .devcontainer: the clone is mounted, and its own .venv is made on top of this torch.
FROM torch AS dev
RUN apt-get update && apt-get install --yes --no-install-recommends chromium git make && rm -rf /var/lib/apt/lists/*

FROM torch
COPY --from=wheel /wheel /wheel
RUN pip install --no-cache-dir /wheel/*.whl
RUN useradd --create-home colorgan
USER colorgan
WORKDIR /data
ENTRYPOINT ["colorgan"]
CMD ["--help"]
