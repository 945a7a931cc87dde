"""What a learner types leads to the page that she wants: the first result of each query."""

from __future__ import annotations

HOME_OF = {
    "activations": ["dead relu", "dying relu", "leaky relu slope", "sigmoid saturates", "gelu"],
    "batch_normalization": ["batchnorm eval mode", "normalisation", "running mean", "internal covariate shift"],
    "gradient_checking": ["gradcheck", "gradient check", "numerical gradient", "finite differences"],
    "initialization": [
        "he initialization",
        "kaiming",
        "xavier",
        "glorot",
        "initialisation",
        "orthogonal initialisation",
    ],
    "adaptive_methods": ["adam epsilon", "adamw", "rmsprop"],
    "babysitting": ["loss not decreasing", "sanity checks", "duplicates in test set"],
    "conditioning": ["condition number", "sharpness", "newton"],
    "dropout": ["dropout still on", "variance shift", "mc dropout"],
    "ensembles": ["snapshot ensemble", "expected calibration error", "temperature scaling"],
    "gradient_clipping": ["clip_grad_norm", "clip gradients", "gradient clipping"],
    "hyperparameter_search": ["successive halving", "random search", "optuna"],
    "minibatch": ["batch size", "gradient accumulation", "torchrun"],
    "minima_saddles": ["local minima", "saddle point", "plateau"],
    "momentum": ["nesterov", "heavy ball", "polyak"],
    "objective": ["softmax gradient", "log-sum-exp", "cross entropy"],
    "overfitting": ["validation loss increasing", "early stopping", "double descent", "regularisation"],
    "preprocessing": ["whitening", "pca", "standardise"],
    "schedules": ["cosine annealing", "warmup", "learning rate finder"],
    "symmetry_breaking": ["why zero init bad", "all weights the same"],
    "vanishing_exploding": ["loss is NaN", "vanishing gradient", "exploding gradients", "learning rate too high"],
    "weight_penalties": ["weight decay", "soft threshold", "lasso"],
}
WANTED = {query: f"chapters/{name}" for name, queries in HOME_OF.items() for query in queries}


def first_results(page, queries) -> dict[str, list[str]]:
    """Ask each query and give the addresses of the first three results."""
    field = page.locator("[data-md-component=search-query]")
    link = page.locator(".md-search-result__link")
    found = {}
    field.click()
    for query in queries:
        field.fill(query)
        field.press("End")  # the field is read when a key goes up
        link.first.wait_for()
        found[query] = [
            address.split("?")[0] for address in link.evaluate_all("all => all.slice(0, 3).map(e => e.href)")
        ]
        field.fill("")
        field.press("End")
        link.first.wait_for(state="detached")
    return found


def test_a_learner_finds_the_right_page_first(visit, address):
    assert len(WANTED) >= 30
    found = first_results(visit(""), WANTED)
    wrong = {
        query: [each.removeprefix(address) for each in found[query]]
        for query, wanted in WANTED.items()
        if not found[query][0].startswith(address + wanted)
    }
    assert not wrong


def test_a_result_leads_to_its_place(visit):
    page = visit("")
    page.locator("[data-md-component=search-query]").click()
    page.keyboard.type("kaiming", delay=10)
    page.locator(".md-search-result__link").first.click()
    page.wait_for_url("**/chapters/initialization/**")


def test_what_was_searched_for_is_marked_on_the_page_found(visit):
    page = visit("chapters/initialization/?h=kaiming+he")
    assert page.evaluate("CSS.highlights.get('searched').size") > 3
    assert page.evaluate("[...CSS.highlights.get('searched')].every(range => /^(kaiming|he)$/i.test(String(range)))")
    assert visit("chapters/initialization/").evaluate("CSS.highlights.has('searched')") is False


def test_the_index_is_fetched_when_it_is_wanted(visit):
    page = visit("chapters/gradient_checking/")
    asked = "performance.getEntriesByType('resource').some(entry => entry.name.endsWith('search_index.json'))"
    assert not page.evaluate(asked)
    page.locator("[data-md-component=search-query]").click()
    page.keyboard.type("relu", delay=20)
    page.locator(".md-search-result__link").first.wait_for()
    assert page.evaluate(asked)
