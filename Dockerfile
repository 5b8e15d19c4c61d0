# The system in a container, for the CPU or for NVIDIA's GPUs:
#
#   docker build --tag shi-speech .
#   docker build --tag shi-speech:gpu --build-arg TORCH=cu130 .
#   docker run --rm --shm-size 4g shi-speech                                            (the demo)
#   docker run --rm --shm-size 4g --user "$(id -u):$(id -g)" --volume /data:/data shi-speech \
#     jobs.predict --audio /data/recordings --out /data/runs/first
#
# On a GPU: --gpus all and shi-speech:gpu; the machine needs driver 580 or newer and NVIDIA's container toolkit. Models
# from the hub are kept in /models where that is a volume.
FROM python:3.12-slim-bookworm

ARG TORCH=cpu
ENV UV_TORCH_BACKEND=${TORCH} UV_SYSTEM_PYTHON=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 \
    PYTHONDONTWRITEBYTECODE=1

# Kernels are compiled on the GPU's machine when they are first used.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/shi-speech
COPY requirements.txt requirements-gpu.txt ./
RUN pip install --no-cache-dir uv==0.13.9 \
 && uv pip install --requirement requirements.txt \
 && if [ "${TORCH}" != cpu ]; then uv pip install --requirement requirements-gpu.txt; fi
COPY pyproject.toml ./
COPY pipeline ./pipeline
COPY tuning ./tuning
COPY jobs ./jobs
RUN python -m compileall -q pipeline tuning jobs

# Whoever runs it owns what it writes: any user may, and has a home.
RUN mkdir --mode 1777 /models /runs && ln -s /runs runs
ENV HOME=/tmp HF_HOME=/models LOGNAME=shi
USER 1000:1000
ENTRYPOINT ["python", "-m"]
CMD ["jobs.demo"]
