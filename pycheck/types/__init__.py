"""The plain data that flows between the stages; imports nothing of pycheck."""

from __future__ import annotations

from .comparisons import (
    Comparison,
    LimitUse,
    MagnitudeErrors,
    NonfiniteCounts,
    PairingHint,
    QuantizationNoise,
    SamplePicture,
    SummationNoise,
    Tolerance,
    Top1Flip,
    WorstElement,
)
from .decoders import DecodedFile, Decoders, EngineDecoders
from .emitted import Emitted, EmittedFile, EmittedProof, FileMedium, Language
from .evidence import (
    AnswerLimits,
    ArtifactDifferences,
    ArtifactFault,
    ChangedAnswer,
    Column,
    Epsilon,
    Evidence,
    FaultyPart,
    IdRange,
    InputScale,
    NonfiniteInput,
    NonfiniteWeight,
    Outlier,
    OutOfRangeCast,
    ReferenceCheck,
    TrainingCall,
)
from .findings import Finding, NanPolicy, Severity, Verdict, apart, together
from .hints import VALUE_KINDS, InputHint, Padding, Values
from .history import PastOutput, PastRun, PastRuntime, PastVariant
from .migrations import Decision, Migration, QuantizedVariant, RuntimePair, Unsupported
from .names import (
    ARTIFACT_FLOAT32,
    ARTIFACT_FLOAT64,
    ARTIFACT_LITERT,
    BROWSER_ENGINES,
    BROWSER_KINDS,
    CLASSES,
    DEVICE,
    DEVICE_NAME,
    ENGINES,
    LITERT_KINDS,
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    PYTHON_KINDS,
    TFJS_KINDS,
    UNIT_ROUNDOFF,
    Array,
    RuntimeId,
    Signature,
    Tensors,
    TensorSpec,
    is_exact,
)
from .pipelines import (
    ALL_FILES,
    PARTS,
    FailedFile,
    FileShares,
    InputDifference,
    InputPicture,
    OutputShares,
    Part,
    Pipeline,
    PipelineCause,
    PipelineRow,
    SampleFile,
    SampleFiles,
    TensorLeak,
)
from .power import DeadChannels, OutputChange, Power, PowerShare, SampleSpread, TableReach, WeightPower
from .prepared import AppCode, AppFile, FileFailure, FileFailureCode, Prepared, PreparedFile
from .remedies import Outcome, Remedy
from .reports import CheckReport, Report, Shard, VariantFailure
from .runs import ArtifactInfo, Batch, Environment, InputsInfo, ModelInfo, RuntimeRecord, RuntimeStatus
from .traces import (
    HANDING_ON,
    Bundle,
    Effect,
    Gap,
    Hidden,
    Operand,
    Origin,
    OutputSplit,
    PointResult,
    Repeat,
    Saturation,
    Trace,
    TracePoint,
)
from .trainings import (
    CureTrial,
    Curvature,
    GradientComparison,
    PassCheck,
    PassOperation,
    Training,
    TrainingCurves,
    TrainingMoment,
    TrainingVariable,
)
