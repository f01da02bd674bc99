"""The head of a .tex file: for latex-base alone, or for XeLaTeX where a text needs its fonts.

In: the body of a document and its language. Out: the preamble, and the body with letters of other
scripts in a font that has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from derive.typeset.boxes import GREEK

SIGNS: Final = {
    "↦": r"\mapsto",
    "⊙": r"\odot", "⊘": r"\oslash", "′": r"^\prime", "≤": r"\le", "≥": r"\ge", "→": r"\to",
    "←": r"\leftarrow", "∂": r"\partial", "Σ": r"\sum", "∑": r"\sum", "∏": r"\prod",
    "∞": r"\infty", "‖": r"\|", "−": "-", "×": r"\times", "·": r"\cdot", "±": r"\pm",
    "ᵀ": r"^\top", "∈": r"\in", "≈": r"\approx", "≠": r"\ne", "∘": r"\circ", "√": r"\surd ",
    "𝟙": "1", "ₜ": "_t", "⁻": "^-", "⋯": r"\cdots",
    "…": r"\dots",
    **{letter: rf"\{name}" for name, letter in GREEK.items()},
    **{letter: f"^{digit}" for digit, letter in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{letter: f"_{digit}" for digit, letter in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}  # fmt: skip
PROGRAM: Final = "% !TeX program = xelatex"
"""The first line of a file that XeLaTeX has to compile."""
CHINESE: Final = "\u3000-\u303f\u3400-\u9fff\uac00-\ud7af\u3040-\u30ff\uff00-\uffef"
_SCRIPTS: Final = re.compile(f"[{CHINESE}]")
_OTHERS: Final = re.compile(
    f"[^\\x00-\\u017f\\u2010-\\u2026{CHINESE}{''.join(map(re.escape, SIGNS))}]+"
)
_CLASS: Final = r"\documentclass[10pt,a4paper]{article}"
COMPACT: Final = (
    ("hmargin=22mm,vmargin=20mm", "hmargin=20mm,vmargin=17mm"),
    (r"[width=0.92\textwidth]", r"[width=0.75\textwidth]"),
)
"""What a short report has smaller."""
_COMMON: Final = r"""\usepackage[hmargin=22mm,vmargin=20mm,footskip=9mm]{geometry}
\usepackage{amsmath,amssymb,amsthm}
\usepackage{longtable,graphicx,color,verbatim}
\usepackage[bookmarksnumbered,hidelinks]{hyperref}
\definecolor{cotangent}{rgb}{0.70,0.15,0.12}
\definecolor{quiet}{gray}{0.38}
\newcommand{\ct}[1]{{\color{cotangent}#1}}
% between words of code a line may end early, so that its other words are not drawn apart
\DeclareRobustCommand{\gap}{\hskip0pt plus9em\penalty0\hskip0.525em plus-9em\relax}
\newcommand{\note}[1]{{\footnotesize\color{quiet}#1}}
\newcommand{\anchor}[1]{\raisebox{1.2em}[0pt][0pt]{\hypertarget{#1}{}}}
\newcommand{\lead}[1]{\textit{#1}\hspace{0.5em}}
THEOREMSTYLE
\newtheorem{theorem}{THEOREM}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.55em plus 0.2em}
\setlength{\LTleft}{0pt}
\setlength{\LTright}{0pt}
\setlength{\LTpre}{0.2em}
\setlength{\LTpost}{0.2em}
\setlength{\emergencystretch}{3em}
\setlength{\lineskip}{2.5pt} % between a tall formula in the line and the next line
\newcommand{\need}[1]{\par\dimen0=\pagegoal\advance\dimen0-\pagetotal
  \ifdim\dimen0<#1\ifdim\dimen0>0pt\vfil\penalty-10000\relax\fi\fi
  \ifdim\pagetotal=0pt\ifdim\vsize<#1\null\vfil\penalty-10000\fi\fi} % figures that wait come first
\newsavebox{\whole}
\newbox\framed
\newcommand{\inframe}[1]{\setbox\framed\vbox{\hsize\dimexpr\textwidth-2\fboxsep-2\fboxrule\relax
  \linewidth\hsize\parskip0pt\relax\small #1}\frames}
\newcommand{\frames}{\par\ifdim\pagetotal>\pagegoal\penalty0\fi % the page above is put out
  \dimen0=\pagegoal\advance\dimen0-\pagetotal % a frame goes over the page
  \ifdim\pagegoal=\maxdimen\dimen0=\textheight\fi\advance\dimen0-2em
  \ifdim\dimexpr\ht\framed+\dp\framed\relax<\dimen0\noindent\fbox{\box\framed}\par
  \else\ifdim\dimen0>9em\splittopskip0.8em\vbadness10000\setbox0\vsplit\framed to\dimen0
    \setbox2\vbox{\unvcopy0}\noindent\fbox{\ifdim\ht2>\dimen0\box0\else\box2\fi}\fi % may shrink
  \ifvoid\framed\par\else % else all of it did
    \vfil\penalty-10000\expandafter\expandafter\expandafter\frames\fi\fi}
\makeatletter
\newcommand{\placed}{\par\if@nobreak\else\need{\dimexpr\ht\whole+\dp\whole+1.2em\relax}\fi
  \begin{center}\usebox{\whole}\end{center}} % a table on the page that has room for it
\let\startlong\longtable % forgets figures above it, and puts none on the next page
\let\stoplong\endlongtable
\let\longout\LT@output
\let\pageout\@outputpage
\newcommand{\nextpage}{\pageout\global\@textfloatsheight0pt\@floatplacement\@startcolumn
  \@whilesw\if@fcolmade\fi{\pageout\@floatplacement\@startcolumn}}
\def\LT@output{\let\@outputpage\nextpage\longout} % not where the page above it is put out
\def\longtable{\par\@lowpenalty-\@M\startlong} % the rule at its end is not cut from it
\def\endlongtable{\stoplong\global\@colroom\vsize}
\let\placefloat\@addtocurcol % a figure on its page, though what follows it goes over
\def\@addtocurcol{\interlinepenalty0\relax\placefloat}
\let\resetfloat\@floatboxreset % a figure stands as near to its caption as ever
\def\@floatboxreset{\resetfloat\lineskip1pt\relax}
\@beginparpenalty=10000
\def\@listi{\leftmargin\leftmargini\topsep0.1em\partopsep0pt\parsep0.15em\itemsep0.1em
  \lineskiplimit1.5pt\relax} % norms of fractions stand there in the midst of sentences
\let\@listI\@listi
\@listi
\lineskiplimit0pt\relax
\makeatother
\setlength{\tabcolsep}{0.4em}
\raggedbottom
\interlinepenalty=10000 % a paragraph stays on its page, so that no figure comes into a sentence
\setlength{\intextsep}{0.8em}
\setlength{\floatsep}{0.8em}
\setlength{\textfloatsep}{1.7em} % a heading below a figure has no space above it
\setcounter{topnumber}{3}
\setcounter{totalnumber}{4}
"""
_FANDOL: Final = r"\usepackage[fontset=fandol,scheme=plain,heading=false]{ctex}"
_FONTS: Final = ("FreeSerif", "Noto Serif", "DejaVu Serif", "DejaVu Sans")
_STYLE: Final = r"\theoremstyle{definition}"
_NAMED: Final = r"""\newtheoremstyle{named}{}{}{}{}{\bfseries}{STOP}{0.5em}{%
  \thmname{#1}\thmnumber{ #2}\thmnote{{\normalfont NOTE}}}
\theoremstyle{named}
\makeatletter\renewcommand{\@addpunct}[1]{STOP}\makeatother"""
"""Heads of theorems and proofs with the marks of another script."""
_SIGN: Final = r"""\newcommand{\sign}[2]{\begingroup\lccode`\~="#1\relax
  \lowercase{\endgroup\def~}{\ensuremath{#2}}\AtBeginDocument{\catcode"#1=\active}}
"""


def headed(body: str, language: str, words: Callable[[str], str]) -> tuple[str, str]:
    """The preamble that the body needs, and the body as it is set under it.

    English text in Latin letters needs latex-base alone. Chinese, and letters of other scripts
    in a title or a source, need XeLaTeX: with the class of packages ctex, or a font that has them.
    """
    proof, stop = words("page.proof")[:-1], words("page.proof")[-1]
    style = _STYLE
    if stop == ".":
        body = body.replace("“", "``").replace("”", "''")
    else:  # the letters themselves are the quotation marks of the Chinese font, as wide as it
        _, note = words("page.named").rstrip(stop).split("{0}")
        style = _NAMED.replace("STOP", stop).replace("NOTE", note.format("", "#3"))
    common = _COMMON.replace("THEOREMSTYLE", style).replace("THEOREM", words("page.theorem"))
    chinese, others = bool(_SCRIPTS.search(body)), _OTHERS.search(body)
    declared = [(f"{ord(c):04X}", code) for c, code in SIGNS.items() if ord(c) > 0xFF]
    if not (chinese or others):
        signs = (rf"\DeclareUnicodeCharacter{{{c}}}{{\ensuremath{{{code}}}}}"
                 for c, code in declared)  # fmt: skip
        return f"{_CLASS}\n{common}" + "\n".join(signs), body
    fonts = f"{_FANDOL}\n" if chinese else "\\usepackage{fontspec}\n"
    if others:
        body = _OTHERS.sub(lambda found: rf"{{\otherscript {found[0]}}}", body)
        fonts += r"\newcommand{\otherscript}{}" + "\n" + "".join(
            rf"\IfFontExistsTF{{{font}}}{{\newfontfamily\font{place}{{{font}}}"
            rf"\renewcommand{{\otherscript}}{{\font{place}}}}}{{}}" + "\n"
            for place, font in zip("dcba", reversed(_FONTS), strict=True)
        )  # fmt: skip
    common += "\\setlength{\\emergencystretch}{6em}\n"
    common += f"\\renewcommand{{\\proofname}}{{{proof}}}\n"
    signs = (rf"\sign{{{c}}}{{{code}}}" for c, code in declared)
    return f"{PROGRAM}\n{_CLASS}\n{fonts}{common}{_SIGN}" + "\n".join(signs), body
